package llama

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/loadline-dev/loadline/e2e/harness"
	"github.com/loadline-dev/loadline/e2e/process"
)

// readyTimeout bounds the start of the server, which takes a fraction of a second.
const readyTimeout = 30 * time.Second

// Server is a running Ollama server.
type Server struct {
	// URL on 127.0.0.1. It stays the same after a restart.
	URL string

	options Options
	address string
	process *process.Process
}

// Options say which server is started.
type Options struct {
	// Program is the server's, see binaries.Ollama.
	Program string
	// Dir holds everything that the server writes.
	Dir string
	// OwnEngine makes Ollama run the model on its own engine instead of llama.cpp,
	// which is its default for this kind of model.
	OwnEngine bool
}

// Start starts the server on a free port of 127.0.0.1.
func Start(ctx context.Context, o Options) (*Server, error) {
	port, err := harness.FreePort()
	if err != nil {
		return nil, err
	}
	address := fmt.Sprintf("127.0.0.1:%d", port)
	s := &Server{URL: "http://" + address, options: o, address: address}
	if err := s.Restart(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// Restart starts the server anew after Stop or Kill, with the models that it had.
func (s *Server) Restart(ctx context.Context) error {
	cmd := exec.Command(s.options.Program, "serve")
	cmd.Dir = s.options.Dir
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"),
		"HOME=" + s.options.Dir,
		"TMPDIR=" + s.options.Dir,
		"OLLAMA_HOST=" + s.address,
		"OLLAMA_MODELS=" + filepath.Join(s.options.Dir, "models"),
		"OLLAMA_NUM_PARALLEL=1",
		"OLLAMA_LLM_LIBRARY=cpu",
		"OLLAMA_DEBUG=1", // It logs when it begins with a question, for Questions.
		fmt.Sprintf("OLLAMA_NEW_ENGINE=%t", s.options.OwnEngine),
	}
	p, err := process.Start("ollama", cmd, filepath.Join(s.options.Dir, "ollama.log"))
	if err != nil {
		return err
	}
	s.process = p
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	if err := p.WaitReady(ctx, func(ctx context.Context) error {
		_, err := s.call(ctx, http.MethodGet, "/api/version", nil)
		return err
	}); err != nil {
		p.Kill()
		return err
	}
	return nil
}

// Stop ends the server and the process that runs its model.
func (s *Server) Stop() error { return s.process.Stop() }

// Kill ends both at once, as a lost machine would.
func (s *Server) Kill() { s.process.Kill() }

// Questions returns how many questions the model has begun to answer since the
// server was made.
func (s *Server) Questions() (int, error) {
	log, err := os.ReadFile(s.process.LogFile())
	return strings.Count(string(log), `msg="completion request"`), err
}

// KillRunner ends the process that runs the model, as a lack of memory would, and
// leaves the server.
func (s *Server) KillRunner() error {
	log, err := os.ReadFile(s.process.LogFile())
	if err != nil {
		return fmt.Errorf("find the model's process: %w", err)
	}
	named := runnerPID.FindAllSubmatch(log, -1)
	if len(named) == 0 {
		return errors.New("find the model's process: the server has not logged any")
	}
	pid, err := strconv.Atoi(string(named[len(named)-1][1]))
	if err != nil {
		return fmt.Errorf("find the model's process: %w", err)
	}
	return syscall.Kill(pid, syscall.SIGKILL)
}

var runnerPID = regexp.MustCompile(`runner\.pid=(\d+)`)

// LogTail returns the last lines of the server's log.
func (s *Server) LogTail() string { return s.process.LogTail(20) }

// Create adds a model to the server. The parameters are Ollama's; a context and a
// number of threads belong to them, because a change of either loads it anew.
// One thread is the fastest for a model this small: with more, they wait for one
// another at every step.
func (s *Server) Create(ctx context.Context, name string, model []byte, parameters map[string]any) error {
	digest := fmt.Sprintf("sha256:%x", sha256.Sum256(model))
	if _, err := s.call(ctx, http.MethodPost, "/api/blobs/"+digest, model); err != nil {
		return fmt.Errorf("upload the model: %w", err)
	}
	request, err := json.Marshal(map[string]any{
		"model": name, "files": map[string]string{name + ".gguf": digest},
		"template": Template, "parameters": parameters, "stream": false,
	})
	if err != nil {
		return fmt.Errorf("describe the model: %w", err)
	}
	answer, err := s.call(ctx, http.MethodPost, "/api/create", request)
	if err != nil {
		return fmt.Errorf("create the model: %w", err)
	}
	if !strings.Contains(string(answer), `"success"`) {
		return fmt.Errorf("create the model: the server answers %s", answer)
	}
	return nil
}

// call sends one request and returns the body of its answer.
func (s *Server) call(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, s.URL+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode >= http.StatusMultipleChoices {
		err = fmt.Errorf("%s %s: %s: %s", method, path, response.Status, answer)
	}
	return answer, err
}
