package kubernetes

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path"
	"runtime"
	"strings"
)

// image is a container image with one static program in it and nothing else.
type image struct {
	repository string
	program    string // the program's file on this machine
	path       string // where it is in the image, absolute
	user       string // empty: root, as in most images of chain nodes
}

// descriptor refers to a blob, see
// https://github.com/opencontainers/image-spec/blob/main/descriptor.md
type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int               `json:"size"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// write makes an archive of the image: a tar file with an image layout as
// https://github.com/opencontainers/image-spec/blob/main/image-layout.md has it. It returns the image's reference, whose
// tag depends on the content, so that what a cluster still has of an earlier run is never taken for this one.
func (i image) write(archive string) (reference string, err error) {
	layer, err := i.layer()
	if err != nil {
		return "", err
	}
	content := sha256.Sum256(layer)
	tag := hex.EncodeToString(content[:6])
	reference = i.repository + ":" + tag

	f, err := os.Create(archive)
	if err != nil {
		return "", err
	}
	defer f.Close()
	w := layout{tar: tar.NewWriter(f)}
	layerBlob := w.blob("application/vnd.oci.image.layer.v1.tar", layer)
	config := w.json("application/vnd.oci.image.config.v1+json", object{
		"architecture": runtime.GOARCH,
		"os":           "linux",
		"config": object{
			"Entrypoint": []string{i.path},
			"User":       i.user,
			"Env":        []string{"PATH=" + path.Dir(i.path)},
		},
		"rootfs": object{"type": "layers", "diff_ids": []string{layerBlob.Digest}},
	})
	const manifestType = "application/vnd.oci.image.manifest.v1+json"
	manifest := w.json(manifestType, object{
		"schemaVersion": 2, "mediaType": manifestType, "config": config, "layers": []descriptor{layerBlob},
	})
	// The first annotation is containerd's, the second the standard's.
	manifest.Annotations = map[string]string{"io.containerd.image.name": reference, "org.opencontainers.image.ref.name": tag}
	index, err := json.Marshal(object{"schemaVersion": 2, "manifests": []descriptor{manifest}})
	if err != nil {
		return "", err
	}
	w.file("index.json", index)
	w.file("oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`))
	return reference, w.close()
}

// layer is a tar file with the program and the folders that it is in.
func (i image) layer() ([]byte, error) {
	program, err := os.ReadFile(i.program)
	if err != nil {
		return nil, err
	}
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	name := strings.TrimPrefix(i.path, "/")
	for end, c := range name {
		if c != '/' {
			continue
		}
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: name[:end+1], Mode: 0o755}); err != nil {
			return nil, err
		}
	}
	if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(program))}); err != nil {
		return nil, err
	}
	if _, err := w.Write(program); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return layer.Bytes(), nil
}

// layout writes the files of an image layout. After an error it writes nothing more.
type layout struct {
	tar *tar.Writer
	err error
}

func (l *layout) file(name string, content []byte) {
	if l.err == nil {
		l.err = l.tar.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content))})
	}
	if l.err == nil {
		_, l.err = l.tar.Write(content)
	}
}

func (l *layout) blob(mediaType string, content []byte) descriptor {
	sum := sha256.Sum256(content)
	digest := hex.EncodeToString(sum[:])
	l.file("blobs/sha256/"+digest, content)
	return descriptor{MediaType: mediaType, Digest: "sha256:" + digest, Size: len(content)}
}

func (l *layout) json(mediaType string, value any) descriptor {
	content, err := json.Marshal(value)
	if err != nil && l.err == nil {
		l.err = err
	}
	return l.blob(mediaType, content)
}

func (l *layout) close() error {
	if l.err != nil {
		return l.err
	}
	return l.tar.Close()
}
