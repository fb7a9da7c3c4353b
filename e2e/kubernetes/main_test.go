package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// environment is what the tests work with. It is made once.
type environment struct {
	repository string // the folder of kubevali's sources
	kubevali   string // programs for this machine
	devp2p     string

	// References of images in the cluster.
	kubevaliImage string
	gethImage     string
	gateImage     string

	addresses map[string]string // of the nodes that take pods, by their names: what peers dial
	external  bool              // whether these are ExternalIPs
	ports     atomic.Int32      // how many tests have got node ports
}

var env environment

// portsPerTest is how many node ports a test may use from its first one on.
const portsPerTest = 8

// firstPort is before all of them. Node ports are the whole cluster's: starting at random, runs at the same time rarely
// meet.
var firstPort = 31500 + portsPerTest*rand.IntN(140)

// nextPort returns the first node port of a test.
func (e *environment) nextPort() int { return firstPort + portsPerTest*int(e.ports.Add(1)) }

// setupTime is for the builds, which take minutes when nothing is in Go's build cache, and the import of the images.
const setupTime = 15 * time.Minute

// parallel is how many tests run at once, where the command line does not say. They wait for the cluster most of the time.
const parallel = "6"

func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", parallel); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if os.Getenv("KUBECONFIG") == "" {
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "kubevali-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	ctx, cancel := context.WithTimeout(context.Background(), setupTime)
	defer cancel()
	if err := env.make(ctx, dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// needCluster skips the test where there is no cluster.
func needCluster(t *testing.T) {
	t.Helper()
	if os.Getenv("KUBECONFIG") == "" {
		t.Skip("KUBECONFIG is not set: no cluster to test on")
	}
}

func (e *environment) make(ctx context.Context, dir string) error {
	repository, err := filepath.Abs("../..")
	if err != nil {
		return err
	}
	e.repository = repository
	if err := e.findNodes(ctx); err != nil {
		return err
	}
	e.kubevali, e.devp2p = filepath.Join(dir, "kubevali"), filepath.Join(dir, "devp2p")
	geth, gate := filepath.Join(dir, "geth"), filepath.Join(dir, "gate")
	for _, build := range []struct {
		folder, output, pkg string
		flags               []string
	}{
		{repository, e.kubevali, "./cmd/kubevali", []string{"-tags=nethttpomithttp2", "-trimpath"}}, // as it is released
		{".", e.devp2p, "github.com/ethereum/go-ethereum/cmd/devp2p", nil},
		{".", geth, "github.com/ethereum/go-ethereum/cmd/geth", nil},
		{".", gate, "./gate", nil},
	} {
		args := append([]string{"build", "-ldflags", "-s -w", "-o", build.output}, build.flags...)
		cmd := exec.CommandContext(ctx, "go", append(args, build.pkg)...)
		cmd.Dir = build.folder
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("go build %s: %w\n%s", build.pkg, err, out)
		}
	}
	released, err := releasedImage(repository)
	if err != nil {
		return err
	}
	released.repository, released.program = "localhost/kubevali-e2e/kubevali", e.kubevali
	for _, i := range []struct {
		image
		reference *string
	}{
		{released, &e.kubevaliImage},
		{image{"localhost/kubevali-e2e/geth", geth, "/usr/local/bin/geth", ""}, &e.gethImage},
		{image{"localhost/kubevali-e2e/gate", gate, "/gate", ""}, &e.gateImage},
	} {
		archive := filepath.Join(dir, filepath.Base(i.repository)+".tar")
		if *i.reference, err = i.write(archive); err != nil {
			return err
		}
		if err := load(ctx, archive); err != nil {
			return err
		}
	}
	return nil
}

// releasedImage returns where the Dockerfile puts kubevali, and which user it runs as.
func releasedImage(repository string) (i image, err error) {
	text, err := os.ReadFile(filepath.Join(repository, "Dockerfile"))
	if err != nil {
		return image{}, err
	}
	path := regexp.MustCompile(`(?m)^ENTRYPOINT \["(.*)"\]$`).FindSubmatch(text)
	user := regexp.MustCompile(`(?m)^USER (.*)$`).FindSubmatch(text)
	if path == nil || user == nil {
		return image{}, errors.New("the Dockerfile has no USER, or no ENTRYPOINT of one program")
	}
	return image{path: string(path[1]), user: string(user[1])}, nil
}

// load imports an image archive into the cluster's nodes.
func load(ctx context.Context, archive string) error {
	command := os.Getenv("KUBEVALI_E2E_LOAD")
	if command == "" {
		return errors.New("KUBEVALI_E2E_LOAD is not set: how does an image get into the cluster? see doc.go")
	}
	out, err := exec.CommandContext(ctx, "sh", "-c", command+` "$1"`, "sh", archive).CombinedOutput()
	if err != nil {
		return fmt.Errorf("KUBEVALI_E2E_LOAD: %w\n%s", err, out)
	}
	return nil
}

// findNodes learns the cluster's nodes and their addresses.
func (e *environment) findNodes(ctx context.Context) error {
	text, err := kubectl(ctx, "", "get", "nodes", "-o", "json")
	if err != nil {
		return err
	}
	var list struct {
		Items []struct {
			Metadata struct{ Name string }
			Spec     struct{ Taints []any }
			Status   struct {
				Addresses []struct{ Type, Address string }
			}
		}
	}
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return err
	}
	external, internal := map[string]string{}, map[string]string{}
	for _, node := range list.Items {
		if len(node.Spec.Taints) > 0 {
			continue // a control plane, or cordoned
		}
		for _, address := range node.Status.Addresses {
			isIPv4 := strings.Contains(address.Address, ".")
			switch {
			case address.Type == "ExternalIP" && isIPv4:
				external[node.Metadata.Name] = address.Address
			case address.Type == "InternalIP" && isIPv4:
				internal[node.Metadata.Name] = address.Address
			}
		}
	}
	e.addresses, e.external = external, len(external) == len(internal)
	if !e.external {
		e.addresses = internal
	}
	if len(e.addresses) < 2 {
		return fmt.Errorf("the cluster has %d nodes that take pods and have an IPv4 address, need 2 at least", len(e.addresses))
	}
	return nil
}
