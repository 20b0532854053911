// Package testdata holds the evaluation set of package advice. It is part of the binary, so that anyone can score a model.
package testdata

import "embed"

// Cases are the files cases/*.yaml; package eval reads them.
//
//go:embed cases/*.yaml
var Cases embed.FS
