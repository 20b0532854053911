package config

import (
	"bytes"
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/loadline-dev/loadline/api/v1alpha1"
)

var update = flag.Bool("update", false, "write docs/configuration.md anew")

const page = "../docs/configuration.md"

// The page is made of the types' comments, the defaults, and what Validate says is legal.
func TestTheReferenceSaysWhatTheCodeDoes(t *testing.T) {
	r := reference{t: t, comments: comments(t, ".", "../api/v1alpha1"), legal: legal(), names: map[string]string{}}
	r.collectNames(reflect.TypeFor[Config]())
	r.out.WriteString(intro)
	r.section(place{}, reflect.TypeFor[Config](), defaults(t))
	if *update {
		if err := os.WriteFile(page, r.out.Bytes(), 0o644); err != nil { //nolint:gosec // documentation
			t.Fatal(err)
		}
	}
	written, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(r.out.String(), string(written)); diff != "" {
		t.Errorf("docs/configuration.md is out of date; run: go test ./config -run Reference -update\n%s", diff)
	}
}

const intro = `# Configuration

<!-- Made by ` + "`go test ./config -run Reference -update`" + ` from the comments, defaults and rules in package config. -->

Every part of Loadline reads one YAML file (` + "`--config`" + `). What it leaves out has the default. A field that nobody knows is refused, and
everything that is wrong is reported at once, each with its path. Durations are written like ` + "`90s`, `5m` or `1h30m`" + `, quantities as in Kubernetes.
[config/default.yaml](../config/default.yaml) is the whole file with every default, to copy from.

` + "```yaml\napiVersion: config.loadline.dev/v1alpha1\nkind: Configuration\nprometheus:\n  url: http://prometheus.monitoring.svc:9090\n```\n"

// reference writes a section for each struct.
type reference struct {
	t        *testing.T
	comments map[string]string
	legal    map[string][]string
	// names are the fields' names in YAML, by those in Go, where nothing else has that name.
	names map[string]string
	out   bytes.Buffer
}

// leaves are structs that are written as one value.
var leaves = map[reflect.Type]bool{
	reflect.TypeFor[metav1.Duration](): true, reflect.TypeFor[resource.Quantity](): true, reflect.TypeFor[intstr.IntOrString](): true,
}

// place is where a struct stands: its path, and the comment and the name of the field that holds it.
type place struct{ path, comment, field string }

func (p place) inner(name string) string { return strings.TrimPrefix(p.path+"."+name, ".") }

// section writes a table of the fields of a struct, then the sections of those that are structs themselves.
func (r *reference) section(p place, of reflect.Type, values any) {
	if p.path != "" {
		text := r.comments[of.Name()]
		if len(p.comment) > len(text) { // the type's says more, as a rule
			text = p.comment
		}
		yaml := p.path[strings.LastIndex(p.path, ".")+1:]
		fmt.Fprintf(&r.out, "\n## `%s`\n\n%s", p.path, r.named(text, "`"+p.path+"`", of.Name(), p.field, yaml))
	}
	value, _ := values.(map[string]any)
	var inner []func()
	rows := ""
	for f := range of.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" {
			continue // apiVersion and kind
		}
		at, typ := p.inner(name), f.Type
		if typ.Kind() == reflect.Pointer {
			typ = typ.Elem()
		}
		comment := r.comments[of.Name()+"."+f.Name]
		switch {
		case typ.Kind() == reflect.Struct && !leaves[typ]:
			inner = append(inner, func() { r.section(place{at, comment, f.Name}, typ, value[name]) })
			continue
		case typ.Kind() == reflect.Slice && typ.Elem().Kind() == reflect.Struct:
			inner = append(inner, func() { r.section(place{at + "[]", "", typ.Elem().Name()}, typ.Elem(), nil) })
		}
		if comment == "" {
			r.t.Errorf("%s.%s (%s) has no comment", of.Name(), f.Name, at)
		}
		rows += fmt.Sprintf("| %#q | %s | %s | %s |\n", name, r.value(value[name]), cmp.Or(r.rules(at), anything(typ, name)), r.meaning(comment, f.Name, name))
	}
	if rows != "" {
		fmt.Fprintf(&r.out, "\n| field | default | legal | meaning |\n|---|---|---|---|\n%s", rows)
	}
	for _, write := range inner {
		write()
	}
}

func (r *reference) value(v any) string {
	if v == nil {
		return ""
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		r.t.Fatal(err)
	}
	plain := strings.TrimSpace(text.String())
	return "`" + shorten(cmp.Or(strings.Trim(plain, `"`), plain)) + "`"
}

// anything is what is legal where no rule says it.
func anything(typ reflect.Type, name string) string {
	switch {
	case typ.Kind() == reflect.Bool:
		return "true, false"
	case strings.HasSuffix(name, "File"):
		return "a path, or empty"
	default:
		return "any"
	}
}

// rules are what is legal, each once.
func (r *reference) rules(at string) string {
	var all []string
	for _, rule := range r.legal[strings.ReplaceAll(at, "[]", "[0]")] {
		all = append(all, shorten(strings.ReplaceAll(rule, "|", `\|`)))
	}
	for _, rule := range r.legal[at+"[0]"] {
		all = append(all, "each "+rule)
	}
	return strings.Join(all, "; ")
}

// meaning is a field's comment, with the names that people write.
func (r *reference) meaning(comment, goName, name string) string {
	line := strings.Join(strings.Fields(r.named(comment, "`"+name+"`", goName, name)), " ")
	return strings.ReplaceAll(line, "|", `\|`)
}

// named puts a name before a comment that begins with one of the words, and writes fields as in YAML.
func (r *reference) named(comment, name string, words ...string) string {
	first, rest, _ := strings.Cut(comment, " ")
	if slices.Contains(words, first) {
		comment = name + " " + rest
	}
	return inCamelCase.ReplaceAllStringFunc(comment, func(word string) string {
		if name, known := r.names[word]; known && !slices.Contains(alsoWords, word) {
			return "`" + name + "`"
		}
		return word
	})
}

// alsoWords are names of fields in Go that mean something else as well.
var alsoWords = []string{"PromQL", "WorkingSet"}

var (
	inCamelCase = regexp.MustCompile(`\b[A-Z][a-zA-Z]*[a-z][A-Z][a-zA-Z]*\b`)
	tail        = regexp.MustCompile(`\b(\d+h)0m0s\b|\b((?:\d+h)?\d+m)0s\b`)
)

// shorten writes durations as people do.
func shorten(text string) string { return tail.ReplaceAllString(text, "$1$2") }

func (r *reference) collectNames(of reflect.Type) {
	for f := range of.Fields() {
		typ := f.Type
		for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice {
			typ = typ.Elem()
		}
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" {
			r.names[f.Name] = name
			if typ.Kind() == reflect.Struct && !leaves[typ] {
				r.collectNames(typ)
			}
		}
	}
}

// legal runs the validation over a configuration with one of everything, for what it says is legal.
func legal() map[string][]string {
	c := Default()
	c.ExcludedNamespaces = []string{""}
	c.Scaling.Kinds = []ScaleKind{{}}
	c.Policy.Signals = []v1alpha1.Signal{{}}
	c.Policy.Disruption.Windows = []v1alpha1.Window{{}}
	v := checks{legal: map[string][]string{}}
	v.config(&c)
	return v.legal
}

// defaults are the defaults as a tree of JSON.
func defaults(t *testing.T) map[string]any {
	t.Helper()
	text, err := json.Marshal(Default())
	if err != nil {
		t.Fatal(err)
	}
	var tree map[string]any
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&tree); err != nil {
		t.Fatal(err)
	}
	return tree
}

// comments are those of every struct and of its fields, as "Struct" and "Struct.Field", without markers of generators.
func comments(t *testing.T, folders ...string) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, folder := range folders {
		files, err := filepath.Glob(filepath.Join(folder, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			tree, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range tree.Decls {
				if types, ok := d.(*ast.GenDecl); ok && types.Tok == token.TYPE {
					for _, s := range types.Specs {
						describe(found, types, s.(*ast.TypeSpec))
					}
				}
			}
		}
	}
	return found
}

func describe(found map[string]string, declaration *ast.GenDecl, spec *ast.TypeSpec) {
	found[spec.Name.Name] = text(declaration.Doc)
	of, ok := spec.Type.(*ast.StructType)
	if !ok {
		return
	}
	for _, f := range of.Fields.List {
		for _, name := range f.Names {
			found[spec.Name.Name+"."+name.Name] = text(f.Doc)
		}
	}
}

func text(doc *ast.CommentGroup) string {
	var lines []string
	for line := range strings.Lines(doc.Text()) {
		if !strings.HasPrefix(line, "+") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}
