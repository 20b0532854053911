package certs

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestTheCertificateIsWrittenTogetherWithItsKey(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not", "there", "yet")
	full := map[string][]byte{"tls.crt": []byte("certificate"), "tls.key": []byte("key"), "ca.key": []byte("secret of the CA")}
	for _, missing := range []string{"tls.crt", "tls.key"} {
		half := maps.Clone(full)
		delete(half, missing)
		if err := write(dir, half); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(dir); !os.IsNotExist(err) {
			t.Fatalf("something was written without %s", missing)
		}
	}

	for _, content := range []string{"certificate", "renewed certificate"} {
		full["tls.crt"] = []byte(content)
		if err := write(dir, full); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(dir, "tls.crt"))
		if err != nil || string(got) != content {
			t.Fatalf("tls.crt holds %q, %v; want %q", got, err, content)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, want 0600", entry.Name(), info.Mode())
		}
		names = append(names, entry.Name())
	}
	if !slices.Equal(names, []string{"tls.crt", "tls.key"}) {
		t.Errorf("files %v, want only tls.crt and tls.key", names)
	}
}

func TestADirectoryThatCannotBeWrittenIsAnError(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := write(file, map[string][]byte{"tls.crt": {1}, "tls.key": {1}}); err == nil {
		t.Error("no error for a directory that is a file")
	}
}

func TestListsAndWatchesAskOnlyForTheNamedObjects(t *testing.T) {
	var asked string
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked = r.URL.Query().Get("fieldSelector") }))
	defer server.Close()
	client := &http.Client{Transport: onlyNamed{next: http.DefaultTransport, names: map[string]string{"secrets": "ours"}}}

	cases := map[string]struct{ method, path, want string }{
		"a list":           {http.MethodGet, "/api/v1/namespaces/loadline-system/secrets?limit=500", "metadata.name=ours"},
		"a watch":          {http.MethodGet, "/api/v1/namespaces/loadline-system/secrets?watch=true", "metadata.name=ours"},
		"a single object":  {http.MethodGet, "/api/v1/namespaces/loadline-system/secrets/ours", ""},
		"an update":        {http.MethodPut, "/api/v1/namespaces/loadline-system/secrets/ours", ""},
		"a list of others": {http.MethodGet, "/api/v1/namespaces/loadline-system/configmaps", ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), c.method, server.URL+c.path, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			before := req.URL.String()
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			if err := resp.Body.Close(); err != nil {
				t.Fatal(err)
			}
			if asked != c.want {
				t.Errorf("field selector %q, want %q", asked, c.want)
			}
			if req.URL.String() != before {
				t.Errorf("the caller's request was changed to %s", req.URL)
			}
		})
	}
}
