package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/loadline-dev/loadline/config"
)

// certModes are those that a layout of manifests knows.
var certModes = []config.CertMode{config.CertSelfSigned, config.CertFromSecret, config.CertFiles}

func newManifestsCommand(std streams) *cobra.Command {
	var layout config.Layout
	known := strings.Join(config.ManifestNames(), ", ")
	cmd := &cobra.Command{
		Use:   "manifests NAME",
		Short: "Print manifests that ship with this version",
		Long: "Print manifests that ship with this version, to compare with what a cluster has or to apply them again.\n\n" +
			"NAME is one of " + known + ": the kinds, the accounts and their roles, the admission\n" +
			"policies, the webhook configurations, or what the dashboard needs. Say how Loadline is installed: manifests of another\n" +
			"layout take rights away from the accounts that run. loadline doctor prints the right command. Where Helm installed\n" +
			"Loadline, helm get manifest prints what belongs there.",
		Example: "  loadline manifests crd | kubectl apply --server-side -f -\n  loadline manifests rbac | kubectl diff -f -\n" +
			"  loadline manifests rbac --all-in-one --cert-mode secret | kubectl diff -f -",
		GroupID:   "run",
		ValidArgs: config.ManifestNames(),
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageError("name one of %s; got %d arguments", known, len(args))
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			if !slices.Contains(certModes, layout.CertMode) {
				return usageError("--cert-mode %q: legal are %v", layout.CertMode, certModes)
			}
			documents, err := config.Manifests(args[0], layout)
			if err != nil {
				return codedError{error: err, code: exitUsage}
			}
			if _, err := io.WriteString(std.out, strings.Join(documents, "\n---\n")+"\n"); err != nil {
				return fmt.Errorf("write the manifests: %w", err)
			}
			return nil
		},
	}
	cmd.Flags().Var(scaleKinds{&layout.ScaleKinds}, "scale-kind", "a kind of the configuration's scaling.kinds, for webhook and rbac; repeat it for others")
	defaults := config.Default()
	cmd.Flags().StringVar(&layout.Namespace, operatorNamespaceFlag, defaults.Namespace, "where Loadline runs")
	cmd.Flags().BoolVar(&layout.AllInOne, "all-in-one", false, "for one Deployment with one account, instead of one for each part")
	cmd.Flags().StringVar((*string)(&layout.CertMode), "cert-mode", string(defaults.Webhook.CertMode), "webhook.certMode of the configuration; all but self-signed leave out what a webhook needs to make its certificate")
	cmd.Flags().StringVar(&layout.CertSecret, "cert-secret", defaults.Webhook.CertSecret, "webhook.certSecret of the configuration")
	cmd.Flags().StringVar(&layout.InjectCAFrom, "inject-ca-from", "", "cert-manager's Certificate in that namespace whose CA goes into the webhook configurations")
	return cmd
}

// scaleKinds is a flag that names kinds as group/version/resource.
type scaleKinds struct{ kinds *[]config.ScaleKind }

func (s scaleKinds) Set(text string) error {
	parts := strings.Split(text, "/")
	if len(parts) != 3 || slices.Contains(parts, "") || strings.ContainsAny(text, " ,:[]{}#'\"\n") {
		return errors.New("legal is group/version/resource, such as argoproj.io/v1alpha1/rollouts")
	}
	*s.kinds = append(*s.kinds, config.ScaleKind{Group: parts[0], Version: parts[1], Resource: parts[2]})
	return nil
}

func (s scaleKinds) Type() string { return "group/version/resource" }

func (s scaleKinds) String() string {
	var names []string
	for _, k := range *s.kinds {
		names = append(names, k.Group+"/"+k.Version+"/"+k.Resource)
	}
	return strings.Join(names, ",")
}
