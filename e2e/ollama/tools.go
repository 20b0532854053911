//go:build tools

// Package ollama keeps the Ollama server, and the module whose copy of a header
// it needs, among this module's requirements; nothing imports it.
package ollama

import (
	_ "github.com/gen2brain/malgo"
	_ "github.com/ollama/ollama"
)
