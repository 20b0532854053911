package image

import (
	"archive/tar"
	"bytes"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func example() Image {
	return Image{
		Name: "registry.example:5000/team/app:1.2", Architecture: "arm64", Created: time.Unix(1_800_000_000, 0), User: user,
		Entrypoint: []string{"/app"}, Env: []string{"PATH=/"}, Labels: map[string]string{"b": "2", "a": "1"},
		Files: []File{{"etc/ssl/certs/roots.crt", 0o644, []byte("roots")}, {"app", 0o755, []byte("program")}},
	}
}

// unpack reads an archive: contents by name, and how each entry looks to `tar -tv`.
func unpack(t *testing.T, archive []byte) (contents map[string][]byte, listing []string) {
	t.Helper()
	contents = map[string][]byte{}
	for reader := tar.NewReader(bytes.NewReader(archive)); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return contents, listing
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(reader)
		if err != nil {
			t.Fatal(err)
		}
		contents[header.Name] = content
		listing = append(listing, header.FileInfo().Mode().String()+" "+header.ModTime.UTC().Format(time.DateOnly)+" "+header.Name)
	}
}

func write(t *testing.T, i Image) []byte {
	t.Helper()
	var archive bytes.Buffer
	if err := i.Write(&archive); err != nil {
		t.Fatal(err)
	}
	return archive.Bytes()
}

func decode[T any](t *testing.T, content []byte) T {
	t.Helper()
	var value T
	if err := json.Unmarshal(content, &value); err != nil {
		t.Fatalf("%v in %s", err, content)
	}
	return value
}

func TestTheSameImageGivesTheSameBytes(t *testing.T) {
	if !bytes.Equal(write(t, example()), write(t, example())) {
		t.Error("two archives of one image differ")
	}
}

func TestDockerFindsConfigurationAndLayer(t *testing.T) {
	contents, _ := unpack(t, write(t, example()))
	type manifest struct {
		Config           string
		RepoTags, Layers []string
	}
	manifests := decode[[]manifest](t, contents["manifest.json"])
	if len(manifests) != 1 || len(manifests[0].Layers) != 1 || !cmp.Equal(manifests[0].RepoTags, []string{example().Name}) {
		t.Fatalf("manifests %+v", manifests)
	}
	type config struct {
		Architecture, OS, Created string
		Config                    struct {
			Entrypoint []string
			User       string
			Labels     map[string]string
		}
		RootFS struct {
			DiffIDs []string `json:"diff_ids"`
		}
	}
	layer := contents[manifests[0].Layers[0]]
	got := decode[config](t, contents[manifests[0].Config])
	want := config{Architecture: "arm64", OS: "linux", Created: "2027-01-15T08:00:00Z"}
	want.Config.Entrypoint, want.Config.User, want.Config.Labels = []string{"/app"}, "65532:65532", map[string]string{"a": "1", "b": "2"}
	want.RootFS.DiffIDs = []string{digest(layer)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	_, listing := unpack(t, layer)
	if diff := cmp.Diff([]string{
		"drwxr-xr-x 2027-01-15 etc/", "drwxr-xr-x 2027-01-15 etc/ssl/", "drwxr-xr-x 2027-01-15 etc/ssl/certs/",
		"-rw-r--r-- 2027-01-15 etc/ssl/certs/roots.crt", "-rwxr-xr-x 2027-01-15 app",
	}, listing); diff != "" {
		t.Error(diff)
	}
}

func TestEveryBlobOfTheLayoutIsWhereItsDigestSays(t *testing.T) {
	contents, _ := unpack(t, write(t, example()))
	type descriptor struct {
		Digest      string
		Size        int
		Annotations map[string]string
	}
	at := func(d descriptor) []byte {
		algorithm, sum, _ := strings.Cut(d.Digest, ":")
		content, ok := contents["blobs/"+algorithm+"/"+sum]
		if !ok || len(content) != d.Size || digest(content) != d.Digest {
			t.Errorf("%+v: found %v with %d bytes", d, ok, len(content))
		}
		return content
	}
	if got := string(contents["oci-layout"]); got != `{"imageLayoutVersion":"1.0.0"}` {
		t.Errorf("oci-layout holds %s", got)
	}
	index := decode[struct{ Manifests []descriptor }](t, contents["index.json"])
	if len(index.Manifests) != 1 || index.Manifests[0].Annotations["org.opencontainers.image.ref.name"] != "1.2" {
		t.Fatalf("index %+v", index)
	}
	manifest := decode[struct {
		Config descriptor
		Layers []descriptor
	}](t, at(index.Manifests[0]))
	at(manifest.Config)
	for _, layer := range manifest.Layers {
		at(layer)
	}
}

func TestANameIsStoredAsContainerEnginesDo(t *testing.T) {
	for name, want := range map[string][2]string{
		"loadline:dev":              {"docker.io/library/loadline:dev", "dev"},
		"loadline":                  {"docker.io/library/loadline:latest", "latest"},
		"team/loadline:1":           {"docker.io/team/loadline:1", "1"},
		"localhost/loadline:1":      {"localhost/loadline:1", "1"},
		"ghcr.io/team/loadline":     {"ghcr.io/team/loadline:latest", "latest"},
		"registry:5000/loadline":    {"registry:5000/loadline:latest", "latest"},
		"registry:5000/loadline:v1": {"registry:5000/loadline:v1", "v1"},
	} {
		if got := [2]string{qualified(name), tag(name)}; got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

// An image must be the same whoever builds it.
func TestTheDockerfileSaysTheSame(t *testing.T) {
	content, err := os.ReadFile(filepath.Join("..", "..", "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	for key, value := range about() {
		if label := fmt.Sprintf("%s=%q", key, value); !strings.Contains(string(content), label) {
			t.Errorf("the Dockerfile lacks the label %s", label)
		}
	}
	for _, line := range []string{
		"\nFROM scratch\n", "\nUSER " + user + "\n", "\nENTRYPOINT [\"/" + program + "\"]\n", "\nENV PATH=/\n", "CGO_ENABLED=0 ",
		"go build -trimpath -buildvcs=false -ldflags \"" + ldflags + "\" ", "/" + rootsIn, "\nCOPY --from=build /loadline /" + program + "\n",
	} {
		if !strings.Contains(string(content), line) {
			t.Errorf("the Dockerfile lacks %q", line)
		}
	}
}

func TestTheRootsCanBeReadByPrograms(t *testing.T) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(roots()) {
		t.Error("no certificate could be read")
	}
	if n := bytes.Count(roots(), []byte("BEGIN CERTIFICATE")); n < 100 {
		t.Errorf("%d authorities, want those that browsers trust", n)
	}
}
