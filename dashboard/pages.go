package dashboard

import (
	"embed"
	"html/template"
)

//go:embed pages/*.tmpl
var templates embed.FS

// parsePages reads the templates. Each view is a template of its own, named in the template "page".
func parsePages() (*template.Template, error) {
	return template.New("").ParseFS(templates, "pages/*.tmpl")
}
