package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/recommender/policytext"
)

// maxWishBytes bounds what is read of a file with a wish.
const maxWishBytes = 64 << 10

// dryRunTime is how long a cluster may take to check a draft.
const dryRunTime = 10 * time.Second

func newPolicyCommand(flags *clusterFlags, std streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "policy",
		Short:   "Draft a SizingPolicy from a wish in words",
		Example: `  loadline policy compile "never more than 20 pods" --url http://127.0.0.1:11434`,
		GroupID: "look",
		Args:    noArguments,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newPolicyCompileCommand(flags, std))
	return cmd
}

func newPolicyCompileCommand(flags *clusterFlags, std streams) *cobra.Command {
	model := &modelFlags{}
	var file, name string
	cmd := &cobra.Command{
		Use:   "compile [WISH]",
		Short: "Write a SizingPolicy that says what a sentence says",
		Long: "Ask a language model for the settings that a wish names, check them, and print a SizingPolicy with a comment for each\n" +
			"bound and for what a policy cannot say. Where a cluster can be reached, it checks the draft in a dry run. Nothing is ever\n" +
			"applied: read the draft, then apply it yourself.",
		Example: `  loadline policy compile "never more than 20 pods, at most 2 cores each" --url http://127.0.0.1:11434 --namespace shop`,
		Args: func(_ *cobra.Command, args []string) error {
			if (len(args) == 1) == (file != "") || len(args) > 1 {
				return usageError("give the wish as one argument in quotes, or --from-file")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			wish, err := readWish(args, file, std.in)
			if err != nil {
				return err
			}
			ask, err := model.asking()
			if err != nil {
				return err
			}
			draft, err := compile(cmd.Context(), ask, wish)
			if err != nil {
				return err
			}
			namespace, _ := flags.namespace() // without a kubeconfig there is none, and the draft names none
			object, err := policyObject(draft.Spec, namespace, name)
			if err != nil {
				return err
			}
			checked, err := dryRun(cmd.Context(), flags, object)
			if err != nil {
				return err
			}
			return writeDraft(std.out, draft, object, checked)
		},
	}
	model.bind(cmd)
	cmd.Flags().StringVar(&file, "from-file", "", "file with the wish; - reads standard input")
	cmd.Flags().StringVar(&name, "name", v1alpha1.DefaultPolicyName, "name of the SizingPolicy")
	return cmd
}

func readWish(args []string, file string, in io.Reader) (string, error) {
	if file == "" {
		return args[0], nil
	}
	if file != "-" {
		opened, err := os.Open(file)
		if err != nil {
			return "", fmt.Errorf("open the wish: %w", err)
		}
		defer func() { _ = opened.Close() }()
		in = opened
	}
	text, err := io.ReadAll(io.LimitReader(in, maxWishBytes))
	if err != nil {
		return "", fmt.Errorf("read the wish: %w", err)
	}
	return string(text), nil
}

func compile(ctx context.Context, ask asking, wish string) (policytext.Draft, error) {
	q, err := policytext.Question(wish, ask.budget())
	if err != nil {
		return policytext.Draft{}, fmt.Errorf("write the question: %w", err)
	}
	var draft policytext.Draft
	err = ask.until(ctx, q, func(answer []byte) (err error) {
		draft, err = policytext.Parse(answer, wish)
		return err
	})
	return draft, err
}

// policyObject is the draft without the fields that it leaves open.
func policyObject(spec v1alpha1.SizingPolicySpec, namespace, name string) (*unstructured.Unstructured, error) {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&spec)
	if err != nil {
		return nil, fmt.Errorf("encode the draft: %w", err)
	}
	dropEmpty(content)
	object := &unstructured.Unstructured{Object: map[string]any{"spec": content}}
	object.SetGroupVersionKind(v1alpha1.SchemeGroupVersion.WithKind("SizingPolicy"))
	object.SetName(name)
	object.SetNamespace(namespace)
	return object, nil
}

func dropEmpty(content map[string]any) {
	for key, value := range content {
		if inner, ok := value.(map[string]any); ok {
			if dropEmpty(inner); len(inner) == 0 {
				delete(content, key)
			}
		}
	}
}

// dryRun lets a cluster check the draft, and says how that went. Where none can be reached nothing is lost but the check.
func dryRun(ctx context.Context, flags *clusterFlags, object *unstructured.Unstructured) (string, error) {
	c, err := newClient(flags)
	if err != nil {
		return "Not checked by a cluster: " + err.Error(), nil
	}
	ctx, cancel := context.WithTimeout(ctx, dryRunTime)
	defer cancel()
	err = c.Apply(ctx, client.ApplyConfigurationFromUnstructured(object.DeepCopy()), client.DryRunAll, client.ForceOwnership,
		client.FieldOwner(v1alpha1.FieldManagerCLI))
	switch {
	case err == nil:
		return "The cluster would accept it; nothing was changed.", nil
	case apierrors.IsInvalid(err):
		return "", fmt.Errorf("the cluster refuses the draft: %w", err)
	default:
		return "Not checked by a cluster: " + err.Error(), nil
	}
}

// writeDraft writes YAML whose comments are for the person who has to agree.
func writeDraft(w io.Writer, draft policytext.Draft, object *unstructured.Unstructured, checked string) error {
	lines := []string{"A draft by a language model. Read it before you apply it.", checked, ""}
	for _, b := range draft.Bounds {
		line := b.Sentence
		if !b.Stated {
			line += " (the wish does not say so in numbers: look twice)"
		}
		lines = append(lines, "- "+line)
	}
	if len(draft.Bounds) == 0 {
		lines = append(lines, "- no setting was asked for: every default stays")
	}
	for _, text := range draft.Unexpressed {
		lines = append(lines, "! A policy cannot say: "+text)
	}
	text, err := yaml.Marshal(object.Object)
	if err != nil {
		return fmt.Errorf("write the draft: %w", err)
	}
	var out strings.Builder
	for _, line := range lines {
		out.WriteString(strings.TrimRight("# "+strings.Join(strings.Fields(line), " "), " ") + "\n")
	}
	out.Write(text)
	if _, err := io.WriteString(w, out.String()); err != nil {
		return fmt.Errorf("write the draft: %w", err)
	}
	return nil
}
