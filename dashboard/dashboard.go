// Package dashboard shows Recommendations as web pages: a summary of the cluster, the list of its workloads, what waits for a
// person, and one page for each workload with its whole story.
//
// The pages only read. They are made on the server, hold no script, and load nothing from elsewhere. Texts that people or a
// language model wrote are shown as text.
package dashboard

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed" // The icon and the style sheet.
	"encoding/hex"
	"fmt"
	"html/template"
	"net"
	"net/http"
	"time"

	"k8s.io/utils/clock"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/internal/svg"
	"github.com/loadline-dev/loadline/report"
)

// Path under which all pages lie. Whoever may get it, and what lies under it, as a URL of the cluster may see every page.
const Path = "/dashboard/"

// Source reads the cluster. Each method is called once for a page at most.
type Source interface {
	// Recommendations of one namespace, or of all for "". Nobody writes to them.
	Recommendations(ctx context.Context, namespace string) ([]v1alpha1.Recommendation, error)
	// Halts are why nothing that runs is changed in the whole cluster, or only a little.
	Halts(ctx context.Context) ([]string, error)
	// Events about a workload and its Recommendation, the newest first.
	Events(ctx context.Context, rec *v1alpha1.Recommendation) ([]Event, error)
}

// Event is something that a part of the cluster reported, possibly several times.
type Event struct {
	Time                          time.Time
	Type, Reason, Object, Message string
	Count                         int32
}

// Options of the pages.
type Options struct {
	Source Source
	// Histories draws charts; nil draws none, and NoHistory says why and what to do about it.
	Histories Histories
	NoHistory string
	// Namespace is the only one that is shown; "" shows all.
	Namespace string
	// StaleAfter is the age at which sizes that nobody confirmed are stale.
	StaleAfter time.Duration
	// Prices turn savings into money; the zero value says nothing of money.
	Prices report.Prices
	// LocalOnly refuses requests for any other host than this machine, so that no page of the web can read these under a name
	// that it lets point here.
	LocalOnly bool
	Version   string
	Clock     clock.PassiveClock
	// Program is what whoever looks types to run Loadline; empty is loadline.
	Program string
}

//go:embed assets/style.css
var pageStyle string

//go:embed assets/icon.svg
var icon []byte

// server answers requests.
type server struct {
	Options
	pages *template.Template
	style []byte
	// styleURL changes with the style sheet, so that browsers may keep it.
	styleURL string
}

// New returns the handler of all pages.
func New(o Options) (http.Handler, error) {
	pages, err := parsePages()
	if err != nil {
		return nil, fmt.Errorf("parse the pages' templates: %w", err)
	}
	s := &server{Options: o, pages: pages, style: []byte(svg.Style() + pageStyle)}
	sum := sha256.Sum256(s.style)
	s.styleURL = Path + "style.css?v=" + hex.EncodeToString(sum[:6])

	mux := http.NewServeMux()
	mux.Handle("GET /{$}", http.RedirectHandler(Path, http.StatusFound))
	mux.HandleFunc("GET "+Path+"{$}", s.page(s.summary))
	mux.HandleFunc("GET "+Path+"workloads", s.page(s.list))
	mux.HandleFunc("GET "+Path+"workloads/{namespace}/{name}", s.page(s.workload))
	mux.HandleFunc("GET "+Path+"approvals", s.page(s.approvals))
	mux.HandleFunc("GET "+Path+"style.css", asset("text/css; charset=utf-8", s.style))
	mux.HandleFunc("GET "+Path+"icon.svg", asset("image/svg+xml", icon))
	mux.HandleFunc("GET /", s.page(func(*http.Request) (view, error) { return view{}, notFound("there is no such page") }))
	return s.guarded(mux), nil
}

// guarded sets what a browser has to know before it shows a page, and turns away who came by a foreign name.
func (s *server) guarded(next http.Handler) http.Handler {
	const policy = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if s.LocalOnly && !isLocal(r.Host) {
			http.Error(w, "This page is for this machine only: ask for localhost or 127.0.0.1 instead.", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// isLocal reports whether a request's host is an address or localhost. A name that somebody else let point here is neither.
func isLocal(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = host
	}
	return name == "localhost" || net.ParseIP(trimBrackets(name)) != nil
}

func trimBrackets(name string) string {
	if len(name) > 1 && name[0] == '[' && name[len(name)-1] == ']' {
		return name[1 : len(name)-1]
	}
	return name
}

func asset(contentType string, content []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.Header().Set("Cache-Control", "private, max-age=86400")
		_, _ = w.Write(content) // The browser went away: nobody to tell.
	}
}

// view is what a page shows: a template and its data.
type view struct {
	// Template names the part of the page under its heading.
	Template string
	// Title of the page, Section of the navigation to which it belongs.
	Title, Section string
	Notices        []notice
	Data           any
}

// notice is something to know before anything else.
type notice struct {
	Tone, Text string
}

// frame is what is around every view.
type frame struct {
	view
	Style, Version, Namespace, Read string
	// Status is 200 unless there is nothing to show.
	Status int
}

// page turns a view into a handler.
func (s *server) page(show func(*http.Request) (view, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		status := http.StatusOK
		shown, err := show(r)
		if err != nil {
			shown, status = failure(err)
		}
		var out bytes.Buffer
		err = s.pages.ExecuteTemplate(&out, "page", frame{
			view: shown, Style: s.styleURL, Version: s.Version, Namespace: s.Namespace, Read: stamp(s.Clock.Now()), Status: status,
		})
		if err != nil {
			http.Error(w, "The page could not be made: "+err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(status)
		_, _ = w.Write(out.Bytes()) // The browser went away: nobody to tell.
	}
}
