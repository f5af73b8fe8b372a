# Names for `.ci/run` and `.ci/long`, for those who have just; nothing needs it. CONTRIBUTING.md says what is what.

# Formatting, lints, unit tests, rules, golden files.
quick:
    .ci/run quick

# All that Rust says, with every test.
code:
    .ci/run code

# Everything, as CI runs it.
full:
    .ci/run

# Fuzzing, more seeds, kills and power cuts: hours.
long *STEPS:
    .ci/long {{STEPS}}

# What each part costs; compare the rows of one run.
bench *FILTER:
    cargo bench -- {{FILTER}}
