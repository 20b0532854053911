//go:build full

package docs_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// block is a fenced block of commands: of the language sh, or of the language console, in which a line that begins with a
// prompt is a command, indented lines continue it, and the others are what it prints.
type block struct {
	page     string // from the project's folder
	line     int    // of the first command
	commands string
	// prints is what all commands of a console print together.
	prints string
	// language of the block, as the page says.
	language string
	// notRun is why the page says that the block is not run by a test; empty if it is.
	notRun string
}

// readme is the page that opts in by itself.
const readme = "README.md"

const (
	languageShell   = "sh"
	languageConsole = "console"
	prompt, more    = "$ ", "    "
)

// add adds a line to the block.
func (b *block) add(line string) error {
	command, prompted := strings.CutPrefix(line, prompt)
	switch {
	case b.language == languageShell, b.language == languageConsole && prompted:
		b.commands += command + "\n"
	case b.language == languageConsole && strings.HasPrefix(line, more) && b.prints == "":
		b.commands += line + "\n"
	case b.language == languageConsole:
		b.prints += line + "\n"
	case looksLikeCommand.MatchString(line):
		return fmt.Errorf("commands belong into a block of the language sh or console, or nobody notices when they fail: %s", line)
	}
	return nil
}

var looksLikeCommand = regexp.MustCompile(`^(\$ |(loadline|kubectl|helm|make|go|git) [a-z-])`)

// notRun is the comment before a block that needs what no test has.
var notRun = regexp.MustCompile(`^<!-- not run by a test: (.+) -->$`)

// blocks returns the blocks of a page that have commands.
func blocks(page, content string) ([]block, error) {
	var all []block
	var now *block
	reason, since := "", 0
	for i, line := range strings.Split(content, "\n") {
		language, fence := strings.CutPrefix(line, "```")
		switch {
		case now != nil && fence:
			if now.commands != "" {
				all = append(all, *now)
			}
			now, reason = nil, ""
		case now != nil:
			if err := now.add(line); err != nil {
				return nil, fmt.Errorf("%s:%d: %w", page, i+1, err)
			}
		case fence:
			now = &block{page: page, line: i + 2, language: language, notRun: reason}
		case reason != "" && notRun.MatchString(line):
			return nil, fmt.Errorf("%s:%d: two reasons why a block is not run", page, i+1)
		case notRun.MatchString(line):
			reason, since = notRun.FindStringSubmatch(line)[1], i
		case reason != "" && line != "":
			return nil, fmt.Errorf("%s:%d: this comment is not followed by a block of commands", page, since+1)
		}
	}
	if now != nil {
		return nil, fmt.Errorf("%s:%d: the block has no end", page, now.line)
	}
	return all, nil
}

// pages returns the blocks of every page, by page, without those that are installed from elsewhere.
func pages(t *testing.T) map[string][]block {
	t.Helper()
	found := map[string][]block{}
	read := func(path string) {
		content, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			t.Fatal(err)
		}
		all, err := blocks(path, string(content))
		if err != nil {
			t.Fatal(err)
		}
		if len(all) > 0 {
			found[path] = all
		}
	}
	for _, page := range []string{readme, "CONTRIBUTING.md", "e2e/README.md"} {
		read(page)
	}
	for _, folder := range []string{"docs", "charts"} {
		err := fs.WalkDir(os.DirFS(root), folder, func(path string, entry fs.DirEntry, err error) error {
			if err == nil && !entry.IsDir() && filepath.Ext(path) == ".md" {
				read(path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return found
}

// order is alphabetical, but what is removed at the end is removed at the end.
func order(found map[string][]block) []string {
	var names []string
	for name := range found {
		names = append(names, name)
	}
	slices.Sort(names)
	slices.SortStableFunc(names, func(a, b string) int { return rank(a) - rank(b) })
	return names
}

func rank(page string) int {
	switch {
	case page == readme:
		return 0
	case strings.HasSuffix(page, "uninstall.md"):
		return 2
	default:
		return 1
	}
}
