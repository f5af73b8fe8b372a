module arborlog.org/go/mldsa

go 1.25.0

require (
	arborlog.org/go v0.0.0
	filippo.io/mldsa v1.0.0
)

replace arborlog.org/go => ../
