package certs

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// certificate is a certificate that is valid until the given time, and its key, as a Secret holds them.
func certificate(t *testing.T, end time.Time) map[string][]byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: end.Add(-time.Hour), NotAfter: end}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return map[string][]byte{
		"tls.crt": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		"tls.key": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded}),
	}
}

// mustWrite stores a certificate that is good.
func mustWrite(t *testing.T, dir string, data map[string][]byte) {
	t.Helper()
	if stored, err := write(dir, data); err != nil || !stored {
		t.Fatalf("stored: %v, %v", stored, err)
	}
}

func TestTheCertificateIsWrittenTogetherWithItsKey(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not", "there", "yet")
	first, renewed := certificate(t, time.Now()), certificate(t, time.Now())
	first["ca.key"] = []byte("secret of the CA")
	for _, missing := range []string{"tls.crt", "tls.key"} {
		half := maps.Clone(first)
		delete(half, missing)
		if stored, err := write(dir, half); err != nil || stored {
			t.Fatalf("without %s: stored %v, %v", missing, stored, err)
		}
		if _, err := os.Stat(dir); !os.IsNotExist(err) {
			t.Fatalf("something was written without %s", missing)
		}
	}

	for _, data := range []map[string][]byte{first, renewed} {
		mustWrite(t, dir, data)
		got, err := os.ReadFile(filepath.Join(dir, "tls.crt"))
		if err != nil || !bytes.Equal(got, data["tls.crt"]) {
			t.Fatalf("tls.crt holds %q, %v; want %q", got, err, data["tls.crt"])
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
	if stored, err := write(file, certificate(t, time.Now())); err == nil || stored {
		t.Error("no error for a directory that is a file")
	}
}

func TestACertificateWithAForeignKeyLeavesTheOldOneInPlace(t *testing.T) {
	dir, good, mixed := t.TempDir(), certificate(t, time.Now()), certificate(t, time.Now())
	mustWrite(t, dir, good)
	mixed["tls.key"] = certificate(t, time.Now())["tls.key"]
	if stored, err := write(dir, mixed); err == nil || stored {
		t.Errorf("stored %v, %v; want an error", stored, err)
	}
	if _, err := tls.LoadX509KeyPair(filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")); err != nil {
		t.Error(err)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "tls.key")); err != nil || !bytes.Equal(got, good["tls.key"]) {
		t.Errorf("the key was replaced, %v", err)
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
