module arborlog.org/go

go 1.24
