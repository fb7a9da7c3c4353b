package main

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kubevali/kubevali/internal/config"
	"github.com/kubevali/kubevali/internal/plan"
)

const repository = "../.."

// block is a fenced block of a Markdown file.
type block struct{ language, text string }

func blocks(t *testing.T, file string) []block {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var found []block
	for _, m := range regexp.MustCompile("(?ms)^```(\\w+)\n(.*?)^```$").FindAllStringSubmatch(string(content), -1) {
		found = append(found, block{m[1], m[2]})
	}
	return found
}

func markdown(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(repository, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	return append(files, filepath.Join(repository, "README.md"))
}

// TestConsoleBlocks runs every command that the documents show behind a $ and compares what it prints with what they
// show. A yaml block that begins with a comment of a file's name is that file. "…" stands for anything.
func TestConsoleBlocks(t *testing.T) {
	ran := 0
	for _, file := range markdown(t) {
		dir := t.TempDir()
		for _, b := range blocks(t, file) {
			if name := fileName(b); name != "" {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(b.text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if b.language != "console" {
				continue
			}
			for _, c := range strings.Split("\n"+b.text, "\n$ ")[1:] {
				command, want, _ := strings.Cut(c, "\n")
				ran++
				t.Run(filepath.Base(file)+"/"+command, func(t *testing.T) { checkConsole(t, dir, command, want) })
			}
		}
	}
	if ran == 0 {
		t.Error("no document shows a command")
	}
}

func fileName(b block) string {
	if m := regexp.MustCompile(`^# (\S+\.yaml)\n`).FindStringSubmatch(b.text); m != nil && b.language == "yaml" {
		return m[1]
	}
	return ""
}

func checkConsole(t *testing.T, dir, command, want string) {
	cmd := exec.Command("sh", "-c", strings.ReplaceAll(command, "…", "abcdefghijklmnopqrstuvwxyz0123456789")+" 2>err")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOSTNAME=")
	out, _ := cmd.Output() // commands that show an error exit with one
	stderr, err := os.ReadFile(filepath.Join(dir, "err"))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.SplitAfter(string(stderr), "\n") {
		if strings.HasPrefix(line, "kubevali: ") {
			out = append(out, line...)
		}
	}
	pattern := strings.ReplaceAll(regexp.QuoteMeta(strings.TrimSpace(want)), "…", ".*")
	if !regexp.MustCompile("(?s)^" + pattern + "$").Match(bytes.TrimSpace(out)) {
		t.Errorf("prints\n%s\nnot\n%s\nstderr: %s", out, want, stderr)
	}
}

// TestConfigurationSnippets loads every piece of configuration in the documents.
func TestConfigurationSnippets(t *testing.T) {
	for _, file := range markdown(t) {
		for _, b := range blocks(t, file) {
			if b.language != "yaml" || !regexp.MustCompile(`(?m)^(nodeTemplate|nodeService|p2pKeys|fleet|watchlog|process|healthchecks|monitor|logging|commonTemplate):`).MatchString(b.text) {
				continue
			}
			if strings.Contains(fileName(b), "wrong") {
				continue // shown for its errors
			}
			text := b.text
			if !strings.Contains(text, "command:") {
				if strings.Contains(text, "nodeTemplate:\n") {
					text = strings.Replace(text, "nodeTemplate:\n", "nodeTemplate:\n  command: [node]\n", 1)
				} else {
					text += "\nnodeTemplate: {command: [node]}\n"
				}
			}
			cfg, _, err := config.Parse(filepath.Base(file), []byte(text))
			if err == nil {
				err = plan.Check(cfg)
			}
			if err != nil {
				t.Errorf("%s: %v\n%s", file, err, text)
			}
		}
	}
}

// TestQuickStart does what README's quick start says, with the binary in place of go run: the rendered command, the
// log, the health, and Ctrl-C.
func TestQuickStart(t *testing.T) {
	var sh []string
	for _, b := range blocks(t, filepath.Join(repository, "README.md")) {
		if b.language == "sh" {
			sh = append(sh, strings.Split(strings.TrimSpace(b.text), "\n")...)
		}
	}
	for _, command := range []string{"go run ./cmd/kubevali -c docs/quickstart.yaml", "curl localhost:49944/healthz",
		"curl 'localhost:49944/healthz?verbose'", "go test ./..."} {
		if !strings.Contains(strings.Join(sh, "\n"), command) {
			t.Errorf("README.md does not say %q", command)
		}
	}

	cmd := exec.Command("kubevali", "-c", "docs/quickstart.yaml")
	cmd.Dir = repository
	var out, log lockedBuffer
	cmd.Stdout, cmd.Stderr = &out, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	defer cmd.Process.Kill()

	soon(t, "the rendered command", func() bool {
		return strings.Contains(log.String(), `"--name" "Demo 00" "--port" "30333" "--validator"`)
	})
	soon(t, "the node's log", func() bool { return strings.Contains(out.String(), "Imported block number=2\n") })
	soon(t, "health", func() bool {
		resp, err := http.Get("http://localhost:49944/healthz?verbose")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		return resp.StatusCode == 200 && bytes.Contains(body, []byte(`"best_block"`))
	})
	cmd.Process.Signal(syscall.SIGINT)
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("after Ctrl-C: %v", err)
		}
	case <-time.After(deadline):
		t.Fatal("does not stop at Ctrl-C")
	}
	if !strings.HasSuffix(out.String(), "Shutting down, database closed\n") {
		t.Errorf("the node did not say goodbye:\n%s", out.String())
	}
}
