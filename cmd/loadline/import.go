package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/config"
	"github.com/loadline-dev/loadline/internal/migrate"
)

// importable are the workloads that Loadline sizes, so that those that nobody sized can be opted out.
var importable = []schema.GroupVersionKind{
	{Group: "apps", Version: "v1", Kind: "Deployment"},
	{Group: "apps", Version: "v1", Kind: "StatefulSet"},
	{Group: "apps", Version: "v1", Kind: "DaemonSet"},
	{Group: "batch", Version: "v1", Kind: "CronJob"},
}

func newImportCommand(flags *clusterFlags, std streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "import",
		Short: "Say in Loadline's words what the objects of other autoscalers say",
		Long: "Read the objects of another autoscaler, from the cluster or from files, and print the annotations and SizingPolicies that\n" +
			"mean the same, with a list of what does not translate. Nothing is applied: read it, then apply it yourself.",
		Example: "  loadline import vpa > loadline.yaml\n  loadline import goldilocks --namespace shop",
		GroupID: "look",
		Args:    noArguments,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		newImportFromCommand(flags, std, &cobra.Command{
			Use:     "vpa",
			Short:   "Read VerticalPodAutoscalers",
			Example: "  loadline import vpa --namespace shop\n  kubectl get vpa,deployments,statefulsets,daemonsets,cronjobs --all-namespaces -o yaml | loadline import vpa --filename -",
		}, schema.GroupVersionKind{Group: "autoscaling.k8s.io", Version: "v1", Kind: "VerticalPodAutoscaler"},
			migrate.VPA),
		newImportFromCommand(flags, std, &cobra.Command{
			Use:     "goldilocks",
			Short:   "Read the labels and annotations of Goldilocks on namespaces and workloads",
			Example: "  loadline import goldilocks\n  kubectl get namespaces,deployments,statefulsets,daemonsets,cronjobs --all-namespaces -o yaml | loadline import goldilocks --filename -",
		}, corev1.SchemeGroupVersion.WithKind("Namespace"), goldilocks),
	)
	return cmd
}

func goldilocks(found []unstructured.Unstructured, known migrate.Known) (migrate.Result, error) {
	namespaces := make([]corev1.Namespace, len(found))
	for i, object := range found {
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &namespaces[i]); err != nil {
			return migrate.Result{}, fmt.Errorf("read namespace %s: %w", object.GetName(), err)
		}
	}
	return migrate.Goldilocks(namespaces, known)
}

// translation turns objects of one kind, and the workloads besides, into a result.
type translation func([]unstructured.Unstructured, migrate.Known) (migrate.Result, error)

// newImportFromCommand completes a command that reads objects of one kind.
func newImportFromCommand(flags *clusterFlags, std streams, cmd *cobra.Command, kind schema.GroupVersionKind, translate translation) *cobra.Command {
	var file string
	cmd.Args = noArguments
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		var read imported
		var err error
		if file != "" {
			read, err = importFromFile(file, std.in, importFilter{kind, flags.namespaceFlag()})
		} else {
			read, err = importFromCluster(cmd.Context(), flags, kind)
		}
		if err != nil {
			return err
		}
		result, err := translate(read.objects, read.known)
		if err != nil {
			return err
		}
		if read.others > 0 {
			result.Source += fmt.Sprintf(", all in namespace %s; without --namespace there are %d more", flags.namespaceFlag(), read.others)
		}
		if len(result.Objects) == 0 && len(result.Notes) == 0 {
			return notFoundError("there is nothing to import: read %s", result.Source)
		}
		text, err := result.YAML()
		if err != nil {
			return err
		}
		if _, err := std.out.Write(text); err != nil {
			return fmt.Errorf("write the result: %w", err)
		}
		return nil
	}
	cmd.Flags().StringVarP(&file, "filename", "f", "", "file with the objects, instead of the cluster; - reads standard input")
	return cmd
}

// imported is what was read.
type imported struct {
	objects []unstructured.Unstructured
	known   migrate.Known
	// others is how many objects of the same kind were left out, because they are in other namespaces than the one asked for.
	others int
}

// importFromCluster lists the objects and the workloads of the namespace that was given, or of all.
func importFromCluster(ctx context.Context, flags *clusterFlags, kind schema.GroupVersionKind) (imported, error) {
	c, err := newClient(flags)
	if err != nil {
		return imported{}, err
	}
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
	within := []client.ListOption{client.InNamespace(flags.namespaceFlag())}
	of := within
	if kind.Kind == "Namespace" {
		of = nil
		if name := flags.namespaceFlag(); name != "" {
			of = []client.ListOption{client.MatchingFields{"metadata.name": name}}
		}
	}
	if err := c.List(ctx, list, of...); err != nil {
		if apimeta.IsNoMatchError(err) {
			return imported{}, notFoundError("this cluster does not know the kind %s; --filename reads a file instead", kind.Kind)
		}
		return imported{}, fmt.Errorf("list %ss: %w", kind.Kind, err)
	}
	operator := findInstalled(ctx, c, config.Default().Namespace) // Without a Loadline, or without the right to read it, the defaults.
	read := imported{objects: list.Items, known: migrate.Known{All: true, Excluded: operator.config.Excluded}}
	for _, k := range importable {
		existing := &unstructured.UnstructuredList{} // With their templates, for the names of their containers.
		existing.SetGroupVersionKind(k.GroupVersion().WithKind(k.Kind + "List"))
		if err := c.List(ctx, existing, within...); err != nil {
			return imported{}, fmt.Errorf("list %ss: %w", k.Kind, err)
		}
		for _, object := range existing.Items {
			read.known.Workloads = append(read.known.Workloads, workloadOf(object))
		}
	}
	return read, nil
}

func workloadOf(object unstructured.Unstructured) migrate.Workload {
	return migrate.Workload{
		Namespace: object.GetNamespace(), APIVersion: object.GetAPIVersion(), Kind: object.GetKind(), Name: object.GetName(),
		Labels: object.GetLabels(), Annotations: object.GetAnnotations(), Containers: containersOf(object),
	}
}

// containersOf returns the names of the containers in a workload's template that run as long as its pods do.
func containersOf(object unstructured.Unstructured) []string {
	spec := []string{"spec", "template", "spec"}
	if object.GetKind() == "CronJob" {
		spec = slices.Concat([]string{"spec", "jobTemplate"}, spec)
	}
	var names []string
	for _, field := range []string{"initContainers", "containers"} {
		all, _, _ := unstructured.NestedSlice(object.Object, append(slices.Clone(spec), field)...) // What is malformed has no names.
		for _, c := range all {
			container, _ := c.(map[string]any)
			name, _ := container["name"].(string)
			if name != "" && (field == "containers" || container["restartPolicy"] == "Always") {
				names = append(names, name)
			}
		}
	}
	return names
}

// importFilter says which objects of a file are read: those of a kind, in one namespace unless that is empty.
type importFilter struct {
	kind      schema.GroupVersionKind
	namespace string
}

// importFromFile reads every document of a file, and the items of lists.
func importFromFile(file string, in io.Reader, filter importFilter) (imported, error) {
	if file != "-" {
		opened, err := os.Open(file)
		if err != nil {
			return imported{}, fmt.Errorf("open the objects: %w", err)
		}
		defer func() { _ = opened.Close() }()
		in = opened
	}
	read := imported{known: migrate.Known{Excluded: config.Default().Excluded}}
	decoder := yaml.NewYAMLOrJSONDecoder(in, 4096)
	for {
		var object unstructured.Unstructured
		switch err := decoder.Decode(&object.Object); {
		case errors.Is(err, io.EOF):
			return read, nil
		case err != nil:
			return imported{}, fmt.Errorf("read the objects: %w", err)
		case object.IsList():
			list, err := object.ToList()
			if err != nil {
				return imported{}, fmt.Errorf("read a list: %w", err)
			}
			for _, item := range list.Items {
				if err := read.take(item, filter); err != nil {
					return imported{}, err
				}
			}
		case len(object.Object) > 0:
			if err := read.take(object, filter); err != nil {
				return imported{}, err
			}
		}
	}
}

// take adds an object of a file, if it is asked for. What names no namespace, as files in a repository often do not, is in the one
// that is asked for.
func (i *imported) take(object unstructured.Unstructured, filter importFilter) error {
	gvk := object.GroupVersionKind()
	wanted := gvk.GroupKind() == filter.kind.GroupKind()
	if !wanted && !slices.Contains(importable, gvk) {
		return nil
	}
	in := object.GetNamespace()
	if gvk.Kind == "Namespace" {
		in = object.GetName()
	}
	switch {
	case in == "" && filter.namespace == "":
		return usageError("%s %s names no namespace: say with --namespace in which it is", gvk.Kind, object.GetName())
	case in == "":
		object.SetNamespace(filter.namespace)
	case filter.namespace != "" && in != filter.namespace:
		if wanted {
			i.others++
		}
		return nil
	}
	if wanted {
		i.objects = append(i.objects, object)
	} else {
		i.known.Workloads = append(i.known.Workloads, workloadOf(object))
	}
	return nil
}
