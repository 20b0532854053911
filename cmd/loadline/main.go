// Command loadline is the whole of Loadline in one binary: the recommender, the webhook and the updater as roles, and the
// commands with which people look at recommendations and approve them.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit codes of every command.
const (
	exitOK = 0
	// exitError: it could not be done.
	exitError = 1
	// exitUsage: the call itself is wrong.
	exitUsage = 2
	// exitNotFound: what was asked for does not exist.
	exitNotFound = 3
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	std := streams{in: os.Stdin, out: os.Stdout, err: os.Stderr}
	name, args := calledAs(os.Args[0], os.Args[1:])
	os.Exit(runAs(ctx, name, args, std)) //nolint:gocritic // stop only restores signal handling, which the exit makes moot
}

// program is what people type to run the binary, and plugin what they type where it is a plugin of kubectl: a link or copy named
// kubectl-loadline. By the name of completer, kubectl asks how to complete the plugin's arguments.
const (
	program   = "loadline"
	plugin    = "kubectl " + program
	completer = "kubectl_complete-" + program
)

// calledAs tells from the path of the binary what people typed, and what is to be run for them.
func calledAs(path string, args []string) (name string, run []string) {
	switch strings.TrimSuffix(filepath.Base(path), ".exe") {
	case strings.ReplaceAll(plugin, " ", "-"):
		return plugin, args
	case completer:
		return plugin, append([]string{cobra.ShellCompRequestCmd}, args...)
	default:
		return program, args
	}
}

// run executes one command line and returns its exit code.
func run(ctx context.Context, args []string, std streams) int { return runAs(ctx, program, args, std) }

// runAs is run for people who type the program's name in that way.
func runAs(ctx context.Context, name string, args []string, std streams) int {
	root := newRootCommand(std)
	rename(root, name)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	_, _ = fmt.Fprintln(std.err, "loadline:", err) // nowhere left to report a failure to
	if advice := hint(err); advice != "" {
		_, _ = fmt.Fprintln(std.err, "hint:", advice) // as above
	}
	if coded, ok := errors.AsType[codedError](err); ok {
		return coded.code
	}
	return exitError
}

// rename writes the name that people type into the usage and the texts of all commands.
func rename(root *cobra.Command, name string) {
	root.Annotations = map[string]string{cobra.CommandDisplayNameAnnotation: name}
	var verbs []string
	for _, sub := range root.Commands() {
		verbs = append(verbs, sub.Name())
	}
	call := regexp.MustCompile(`\b` + program + ` (` + strings.Join(verbs, "|") + `)\b`)
	var within func(*cobra.Command)
	within = func(cmd *cobra.Command) {
		for _, text := range []*string{&cmd.Long, &cmd.Example} {
			*text = call.ReplaceAllString(*text, name+" $1")
		}
		for _, sub := range cmd.Commands() {
			within(sub)
		}
	}
	within(root)
}

// programOf is what people type to run the program that a command belongs to. Every command that is printed begins with it.
func programOf(cmd *cobra.Command) string { return cmd.Root().DisplayName() }

// codedError carries an exit code other than exitError.
type codedError struct {
	error
	code int
}

func (e codedError) Unwrap() error { return e.error }

func usageError(format string, args ...any) error {
	return codedError{error: fmt.Errorf(format, args...), code: exitUsage}
}

func notFoundError(format string, args ...any) error {
	return codedError{error: fmt.Errorf(format, args...), code: exitNotFound}
}

func newRootCommand(std streams) *cobra.Command {
	flags := &clusterFlags{}
	root := &cobra.Command{
		Use:   "loadline",
		Short: "Size Kubernetes workloads for the load that is coming",
		Long: "Loadline forecasts the demand of workloads, recommends requests, limits and replicas with the reasons behind each\n" +
			"number, and applies them where a namespace opted in.\n\n" +
			"Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not found.",
		Example:       "  loadline report\n  loadline explain deployment/checkout --namespace shop\n  loadline doctor",
		Args:          noArguments,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetIn(std.in)
	root.SetOut(std.out)
	root.SetErr(std.err)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return codedError{error: err, code: exitUsage} })
	flags.bind(root.PersistentFlags())
	root.AddGroup(&cobra.Group{ID: "look", Title: "Look and decide:"}, &cobra.Group{ID: "data", Title: "Work on data:"},
		&cobra.Group{ID: "run", Title: "Run a part of Loadline:"})
	root.AddCommand(
		newReportCommand(flags, std), newExportCommand(flags, std), newDashboardCommand(flags, std), newExplainCommand(flags, std), newApproveCommand(flags, std), newVersionCommand(std),
		newForecastCommand(std), newReplayCommand(flags, std), newAdviseCommand(std), newPolicyCommand(flags, std),
		newRoleCommand(flags, std, roleRecommender), newRoleCommand(flags, std, roleWebhook),
		newRoleCommand(flags, std, roleUpdater), newRoleCommand(flags, std, roleAll),
		newCleanupCommand(flags, std), newDoctorCommand(flags, std), newManifestsCommand(std),
		newImportCommand(flags, std),
	)
	completeCluster(root, flags)
	return root
}

// noArguments refuses arguments, which for the program itself are unknown commands.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError("%s knows no %q; see: %s --help", cmd.CommandPath(), args[0], cmd.CommandPath())
	}
	return nil
}
