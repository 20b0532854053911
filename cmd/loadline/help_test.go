package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/clientcmd"
)

// walk visits every command that people see.
func walk(cmd *cobra.Command, visit func(*cobra.Command)) {
	visit(cmd)
	for _, inner := range cmd.Commands() {
		if inner.IsAvailableCommand() && inner.Name() != "help" && inner.Name() != "completion" {
			walk(inner, visit)
		}
	}
}

// words splits a command line as a shell does, up to what follows a pipe, a redirection or an ampersand.
func words(line string) []string {
	var all []string
	var word strings.Builder
	inWord := false
	quote := rune(0)
	for _, r := range line + " " {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '"' || r == '\'':
			quote, inWord = r, true
		case r == ' ' && inWord:
			all = append(all, word.String())
			word.Reset()
			inWord = false
		case r == ' ':
		default:
			word.WriteRune(r)
			inWord = true
		}
	}
	if end := slices.IndexFunc(all, func(w string) bool { return w == "|" || w == ">" || w == "&" }); end >= 0 {
		all = all[:end]
	}
	return all
}

func TestEveryCommandHasExamplesThatAreRight(t *testing.T) {
	std := streams{in: strings.NewReader(""), out: io.Discard, err: io.Discard}
	walk(newRootCommand(std), func(cmd *cobra.Command) {
		if cmd.Short == "" || cmd.Example == "" {
			t.Errorf("%s has no example, or says nothing of itself", cmd.CommandPath())
			return
		}
		own := 0
		text := strings.ReplaceAll(cmd.Example, "\\\n", " ")
		for line := range strings.Lines(text) {
			if !strings.HasPrefix(line, "  ") {
				t.Errorf("%s: the example %q is not indented", cmd.CommandPath(), line)
			}
			for segment := range strings.SplitSeq(strings.TrimSpace(line), "| ") {
				args := words(segment)
				if len(args) == 0 || args[0] != "loadline" && !strings.HasPrefix(segment, "kubectl loadline") {
					continue
				}
				args = args[slices.Index(args, "loadline")+1:]
				found, err := parses(std, args)
				if err != nil {
					t.Errorf("%s: example %q: %v", cmd.CommandPath(), segment, err)
				}
				if strings.HasPrefix(found, cmd.CommandPath()) {
					own++
				}
			}
		}
		if own == 0 {
			t.Errorf("%s: none of its examples is of it:\n%s", cmd.CommandPath(), cmd.Example)
		}
	})
}

// parses reads a command line without running it, and returns the command that it is.
func parses(std streams, args []string) (string, error) {
	root := newRootCommand(std)
	root.InitDefaultCompletionCmd()
	cmd, rest, err := root.Find(args)
	if err != nil {
		return "", err
	}
	if err := cmd.ParseFlags(rest); err != nil {
		return "", err
	}
	if err := cmd.ValidateArgs(cmd.Flags().Args()); err != nil {
		return "", err
	}
	return cmd.CommandPath(), nil
}

// Whoever knows kubectl types -o without thinking.
func TestOutputIsChosenAsWithKubectl(t *testing.T) {
	std := streams{in: strings.NewReader(""), out: io.Discard, err: io.Discard}
	walk(newRootCommand(std), func(cmd *cobra.Command) {
		if f := cmd.Flags().Lookup("output"); f != nil && f.Shorthand != "o" {
			t.Errorf("%s --output has no -o", cmd.CommandPath())
		}
		if f := cmd.Flags().ShorthandLookup("o"); f != nil && f.Name != "output" {
			t.Errorf("%s -o is --%s", cmd.CommandPath(), f.Name)
		}
		if f := cmd.Flags().Lookup("filename"); f != nil && f.Shorthand != "f" {
			t.Errorf("%s --filename has no -f", cmd.CommandPath())
		}
	})
}

func TestErrorsComeWithAHint(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"no rights":     {apierrors.NewForbidden(schema.GroupResource{Resource: "recommendations"}, "", errors.New("no")), "kubectl auth can-i"},
		"no cluster":    {clientcmd.ErrEmptyConfig, "name one with --kubeconfig or KUBECONFIG"},
		"not signed in": {apierrors.NewUnauthorized("no"), "sign in again"},
		"a plain error": {errors.New("no"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := hint(fmt.Errorf("read recommendations: %w", c.err)); !strings.Contains(got, c.want) || (got == "") != (c.want == "") {
				t.Errorf("hint %q, want %q", got, c.want)
			}
		})
	}
}

func TestErrorsOfAClusterSayWhatToDo(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"no kinds":  {&meta.NoKindMatchError{GroupKind: schema.GroupKind{Group: "loadline.dev", Kind: "Recommendation"}}, "see README.md, Installing it in a cluster"},
		"no answer": {&net.OpError{Op: "dial", Err: errors.New("refused")}, "does not answer; look at --kubeconfig and --context"},
	} {
		if got := explainReadError(c.err); !strings.Contains(got.Error(), c.want) || !errors.Is(got, c.err) {
			t.Errorf("%s: %v, want %q", name, got, c.want)
		}
	}
}

func TestExplainPrintsTheRecommendationItself(t *testing.T) {
	kubeconfig := fakeAPI(t, sized("shop", "checkout"))
	for format, want := range map[string]string{"json": `"approval": "manual"`, "yaml": "approval: manual"} {
		out, errors, code := call(t, "explain", "deployment/checkout", "--kubeconfig", kubeconfig, "-o", format)
		if code != exitOK || !strings.Contains(out, want) {
			t.Errorf("-o %s: exit code %d, error %q, output %q", format, code, errors, out)
		}
	}
	if _, _, code := call(t, "explain", "deployment/checkout", "--kubeconfig", kubeconfig, "-o", "xml"); code != exitUsage {
		t.Errorf("-o xml: exit code %d", code)
	}
}

func TestWorkloadsAreCompleted(t *testing.T) {
	kubeconfig := fakeAPI(t, sized("shop", "checkout"), sized("shop", "cart"), sized("bank", "ledger"))
	out, _, code := call(t, "__complete", "explain", "--kubeconfig", kubeconfig, "--namespace", "shop", "")
	if code != exitOK || !strings.Contains(out, "deployment/checkout\n") || !strings.Contains(out, "deployment/cart\n") || strings.Contains(out, "ledger") {
		t.Errorf("exit code %d:\n%s", code, out)
	}
	for args, want := range map[string]string{
		"report -o ": "csv\nhtml\njson\nmarkdown\ntable\nyaml\n", "explain deployment/checkout -o ": "json\nyaml\n", "doctor -o ": "json\nyaml\n",
		"export --format ": "patch\nkustomize\nhelm-values\n", "forecast usage.csv -o ": "csv\njson\n", "replay -o ": "table\njson\nhtml\n", "version -o ": "json\nyaml\n",
		"explain --namespace ": "bank\nshop\n", "report -n ": "bank\nshop\n", "doctor --operator-namespace ": "bank\nshop\n", "report --context ": "test\n",
	} {
		if out, _, code := call(t, append([]string{"__complete", "--kubeconfig", kubeconfig}, strings.Split(args, " ")...)...); code != exitOK || !strings.HasPrefix(out, want+":") {
			t.Errorf("loadline %s: exit code %d, completed with:\n%s", args, code, out)
		}
	}
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if out, _, code := call(t, "completion", shell); code != exitOK || !strings.Contains(out, "loadline") {
			t.Errorf("completion %s: exit code %d, %d bytes", shell, code, len(out))
		}
	}
}

// What goes into a file or a pipe has no colour, and on a terminal NO_COLOR switches it off.
func TestColourIsForTerminalsOnly(t *testing.T) {
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if inColour(file) || inColour(io.Discard) {
		t.Error("a file is written in colour")
	}
	terminal, err := os.Open("/dev/ptmx")
	if err != nil {
		t.Skip("there is no terminal to try it with")
	}
	defer terminal.Close()
	t.Setenv("TERM", "xterm")
	t.Setenv("NO_COLOR", "")
	if !inColour(terminal) {
		t.Error("a terminal is written without colour")
	}
	t.Setenv("NO_COLOR", "1")
	if inColour(terminal) {
		t.Error("NO_COLOR is not heeded")
	}
}

func TestTheDoctorOfAClusterThatDoesNotAnswerSaysThatAlone(t *testing.T) {
	kubeconfig := filepath.Join(t.TempDir(), "config")
	const text = "{apiVersion: v1, kind: Config, clusters: [{name: c, cluster: {server: 'http://127.0.0.1:1'}}], contexts: [{name: c, context: {cluster: c}}], current-context: c}"
	if err := os.WriteFile(kubeconfig, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, said, code := call(t, "doctor", "--kubeconfig", kubeconfig)
	if code != exitError || out != "" || !strings.Contains(said, "the cluster does not answer; look at --kubeconfig and --context") || strings.Count(said, "\n") != 1 {
		t.Errorf("exit code %d, %q, error %q", code, out, said)
	}
	if _, said, code := call(t, "doctor", "--kubeconfig", kubeconfig, "--timeout", "0s"); code != exitUsage || !strings.Contains(said, "--timeout 0s: must be more than 0") {
		t.Errorf("exit code %d, error %q", code, said)
	}
}

// Files of the configuration are in the recommender's pod. What needs them is not seen from here, and all else is looked at.
func TestTheDoctorGoesOnWithoutTheFilesOfThePod(t *testing.T) {
	kubeconfig := fakeAPI(t)
	file := filepath.Join(t.TempDir(), "config.yaml")
	const header = "apiVersion: config.loadline.dev/v1alpha1\nkind: Configuration\n"
	for name, text := range map[string]string{
		"an authority": "prometheus: {url: 'https://127.0.0.1:1', tls: {caFile: /nowhere/ca.crt}}\nadvisor: {url: 'https://127.0.0.1:1', tls: {caFile: /nowhere/ca.crt}}\n",
		"a token":      "prometheus: {url: 'http://127.0.0.1:1', auth: {bearerTokenFile: /nowhere/token}}\nadvisor: {url: 'http://127.0.0.1:1', bearerTokenFile: /nowhere/token}\n",
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(file, []byte(header+text), 0o600); err != nil {
				t.Fatal(err)
			}
			out, said, _ := call(t, "doctor", "--kubeconfig", kubeconfig, "--config", file)
			for _, check := range []string{"prometheus", "model"} {
				if !regexp.MustCompile(`(?m)^unseen   ` + check + ` .*files of the recommender's pod: .*/nowhere/.*\n.*try: kubectl --namespace loadline-system exec deployment/loadline-recommender -- /loadline doctor `).MatchString(out) {
					t.Errorf("%s: error %q:\n%s", check, said, out)
				}
			}
			if !strings.Contains(out, " opt-in ") {
				t.Errorf("it did not go on:\n%s", out)
			}
		})
	}
}
