package main

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

const project = "../.."

// pages returns the text of every page for people, by its path in the project.
func pages(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, start := range []string{"README.md", "CONTRIBUTING.md", "docs", "charts", "e2e/README.md"} {
		err := fs.WalkDir(os.DirFS(project), start, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || filepath.Ext(path) != ".md" {
				return err
			}
			text, err := os.ReadFile(filepath.Join(project, path))
			found[path] = strings.ReplaceAll(string(text), "\\\n", " ")
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return found
}

var (
	// fenced is a block of commands in a page.
	fenced = regexp.MustCompile("(?s)```(?:sh|console)\n(.*?)```")
	// called is a line of a block that calls loadline, perhaps after a pipe.
	called = regexp.MustCompile(`(?m)(?:^|\$ |\| |&& )((?:kubectl )?loadline(?: [^|\n]*)?)(?:\||$)`)
	// mentioned is a command in the middle of a text or in a table.
	mentioned = regexp.MustCompile("`(?:kubectl )?(loadline [^`\n]+)`")
	// made is a target of make, in a block or in the middle of a text.
	made = regexp.MustCompile("(?m)(?:^|`|&& )make ([a-z0-9-]+(?: [a-z0-9-]+)*)")
)

// A command in a page that no longer exists costs somebody an evening.
func TestCommandsInThePagesAreRight(t *testing.T) {
	std := streams{in: strings.NewReader(""), out: io.Discard, err: io.Discard}
	seen := 0
	for page, text := range pages(t) {
		for _, block := range fenced.FindAllStringSubmatch(text, -1) {
			for _, command := range called.FindAllStringSubmatch(block[1], -1) {
				line, _, _ := strings.Cut(command[1], " #")
				args := words(line)
				if _, err := parses(std, args[slices.Index(args, "loadline")+1:]); err != nil {
					t.Errorf("%s: %s: %v", page, line, err)
				}
				seen++
			}
		}
		for _, command := range mentioned.FindAllStringSubmatch(text, -1) {
			if err := exists(std, words(command[1])[1:]); err != nil {
				t.Errorf("%s: %s: %v", page, command[0], err)
			}
			seen++
		}
	}
	if seen < 100 {
		t.Errorf("saw %d commands only: are they still found?", seen)
	}
}

// exists reports whether there is such a command with such flags. In the middle of a text its arguments may be left out,
// and the value of its last flag.
func exists(std streams, args []string) error {
	cmd, rest, err := newRootCommand(std).Find(args)
	if err != nil {
		return err
	}
	if cmd.HasSubCommands() && len(rest) > 0 && !strings.HasPrefix(rest[0], "-") {
		return noArguments(cmd, rest)
	}
	err = cmd.ParseFlags(rest)
	if _, short := errors.AsType[*pflag.ValueRequiredError](err); short || errors.Is(err, pflag.ErrHelp) {
		return nil
	}
	return err
}

func TestEveryTargetOfMakeInThePagesExists(t *testing.T) {
	makefile, err := os.ReadFile(filepath.Join(project, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for page, text := range pages(t) {
		for _, line := range made.FindAllStringSubmatch(text, -1) {
			for target := range strings.FieldsSeq(line[1]) {
				if !regexp.MustCompile(`(?m)^` + target + `:`).Match(makefile) {
					t.Errorf("%s: make %s: the Makefile has no %s", page, line[1], target)
				}
				seen++
			}
		}
	}
	if seen < 30 {
		t.Errorf("saw %d targets only: are they still found?", seen)
	}
}
