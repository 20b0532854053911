// Package image writes container images without a container engine.
package image

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"path"
	"time"
)

// Image is a container image for Linux with one layer.
type Image struct {
	// Name with a tag, such as loadline:dev.
	Name string
	// Architecture as Go calls it, such as amd64.
	Architecture string
	// Created is the time of the image and of every file in it, in whole seconds.
	Created time.Time
	// Entrypoint is the program and its first arguments, User the numbers of user and group, Env the environment.
	Entrypoint []string
	User       string
	Env        []string
	Labels     map[string]string
	Files      []File
}

// File of an image. Its folders come with it.
type File struct {
	// Name without a slash in front, such as etc/hosts.
	Name    string
	Mode    int64
	Content []byte
}

// Write writes the image as one archive that is both what `docker save` writes and an OCI image layout. The same image gives
// the same bytes.
func (i Image) Write(w io.Writer) error {
	layer, err := i.layer()
	if err != nil {
		return err
	}
	config := i.config(layer)
	manifest := encode(map[string]any{
		"schemaVersion": 2,
		"mediaType":     "application/vnd.oci.image.manifest.v1+json",
		"config":        describe("application/vnd.oci.image.config.v1+json", config),
		"layers":        []any{describe("application/vnd.oci.image.layer.v1.tar", layer)},
	})
	listed := describe("application/vnd.oci.image.manifest.v1+json", manifest)
	listed["platform"] = map[string]string{"os": "linux", "architecture": i.Architecture}
	// containerd takes the whole name from the first annotation; the second holds the tag alone for everybody else.
	listed["annotations"] = map[string]string{"io.containerd.image.name": qualified(i.Name), "org.opencontainers.image.ref.name": tag(i.Name)}
	archive := tar.NewWriter(w)
	for _, f := range []File{
		{"oci-layout", 0o644, encode(map[string]string{"imageLayoutVersion": "1.0.0"})},
		{"index.json", 0o644, encode(map[string]any{
			"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []any{listed},
		})},
		{"manifest.json", 0o644, encode([]any{map[string]any{
			"Config": blob(config), "RepoTags": []string{i.Name}, "Layers": []string{blob(layer)},
		}})},
		{blob(manifest), 0o644, manifest},
		{blob(config), 0o644, config},
		{blob(layer), 0o644, layer},
	} {
		if err := i.add(archive, f); err != nil {
			return err
		}
	}
	if err := archive.Close(); err != nil {
		return fmt.Errorf("finish the image: %w", err)
	}
	return nil
}

// layer is an archive of all files, after the folders that they are in.
func (i Image) layer() ([]byte, error) {
	var content bytes.Buffer
	archive, made := tar.NewWriter(&content), map[string]bool{".": true}
	for _, f := range i.Files {
		if err := i.addFolder(archive, path.Dir(f.Name), made); err != nil {
			return nil, err
		}
		if err := i.add(archive, f); err != nil {
			return nil, err
		}
	}
	if err := archive.Close(); err != nil {
		return nil, fmt.Errorf("finish the layer: %w", err)
	}
	return content.Bytes(), nil
}

func (i Image) addFolder(archive *tar.Writer, name string, made map[string]bool) error {
	if made[name] {
		return nil
	}
	made[name] = true
	if err := i.addFolder(archive, path.Dir(name), made); err != nil {
		return err
	}
	header := &tar.Header{Typeflag: tar.TypeDir, Name: name + "/", Mode: 0o755, ModTime: i.Created, Format: tar.FormatUSTAR}
	if err := archive.WriteHeader(header); err != nil {
		return fmt.Errorf("write the folder %s of the image: %w", name, err)
	}
	return nil
}

func (i Image) add(archive *tar.Writer, f File) error {
	header := &tar.Header{
		Typeflag: tar.TypeReg, Name: f.Name, Mode: f.Mode, Size: int64(len(f.Content)), ModTime: i.Created, Format: tar.FormatUSTAR,
	}
	err := archive.WriteHeader(header)
	if err == nil {
		_, err = archive.Write(f.Content)
	}
	if err != nil {
		return fmt.Errorf("write %s of the image: %w", f.Name, err)
	}
	return nil
}

// config is what a runtime reads. Docker's fields and OCI's have the same names.
func (i Image) config(layer []byte) []byte {
	return encode(map[string]any{
		"created":      i.Created.UTC().Format(time.RFC3339),
		"architecture": i.Architecture,
		"os":           "linux",
		"config":       map[string]any{"Entrypoint": i.Entrypoint, "User": i.User, "Env": i.Env, "Labels": i.Labels},
		"rootfs":       map[string]any{"type": "layers", "diff_ids": []string{digest(layer)}},
	})
}

// describe refers to a blob.
func describe(mediaType string, content []byte) map[string]any {
	return map[string]any{"mediaType": mediaType, "digest": digest(content), "size": len(content)}
}

func digest(content []byte) string { return "sha256:" + sum(content) }

func blob(content []byte) string { return "blobs/sha256/" + sum(content) }

func sum(content []byte) string {
	hash := sha256.Sum256(content)
	return hex.EncodeToString(hash[:])
}

// encode marshals maps, whose keys come out sorted, of text and numbers, which cannot fail.
func encode(value any) []byte {
	content, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return content
}
