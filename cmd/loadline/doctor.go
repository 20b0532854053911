package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	"github.com/spf13/cobra"
	"golang.org/x/term"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/discovery"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/config"
	"github.com/loadline-dev/loadline/internal/doctor"
)

// doctorFlags say what is looked at.
type doctorFlags struct {
	configFile, namespace, prometheus, model, output string
	strict                                           bool
	timeout                                          time.Duration
}

func newDoctorCommand(flags *clusterFlags, std streams) *cobra.Command {
	f := doctorFlags{namespace: config.Default().Namespace, timeout: time.Minute}
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Look for what keeps Loadline from working, and say how to put it right",
		Long: "Look at the cluster, Loadline's kinds, rights, webhooks and certificate, try admission with a dry-run pod, and look at\n" +
			"Prometheus, the model, the clocks and what else changes the same pods. Nothing is changed.\n\n" +
			"What your own rights do not allow to see is said, and does no harm. The configuration is the one that the Deployments use,\n" +
			"unless --config names a file.\n\n" +
			"Exit codes: 0 no errors, 1 errors (with --strict also warnings and what could not be seen), 2 wrong usage.",
		Example: "  loadline doctor\n  loadline doctor --output json --strict\n  loadline doctor --prometheus http://localhost:9090",
		GroupID: "look",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.output != "" && f.output != "json" && f.output != "yaml" {
				return usageError("--output %q: legal are json and yaml", f.output)
			}
			if f.timeout <= 0 {
				return usageError("--timeout %s: must be more than 0", f.timeout)
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), f.timeout)
			defer cancel()
			report, err := f.examine(ctx, flags, programOf(cmd))
			if err != nil {
				return err
			}
			if err := writeAs(std.out, f.output, report, func() error { return report.Write(std.out, inColour(std.out)) }); err != nil {
				return err
			}
			worst := report.Worst()
			if worst == doctor.Error || f.strict && worst != doctor.OK {
				return errors.New("not everything is well")
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&f.configFile, "config", "", "operator configuration file; without it the one that the Deployments mount")
	cmd.Flags().StringVar(&f.namespace, operatorNamespaceFlag, f.namespace, "where Loadline runs")
	cmd.Flags().StringVar(&f.prometheus, "prometheus", "", "address of Prometheus as it is reached from here")
	cmd.Flags().StringVar(&f.model, "model-url", "", "address of the language model as it is reached from here, where one is configured")
	cmd.Flags().StringVarP(&f.output, "output", "o", "", "json or yaml; without it a list for people")
	completes(cmd, "output", "json", "yaml")
	cmd.Flags().BoolVar(&f.strict, "strict", false, "exit with 1 for warnings, too, and for what could not be seen")
	cmd.Flags().DurationVar(&f.timeout, "timeout", f.timeout, "how long all of it may take")
	return cmd
}

// examine gathers what the doctor needs, and lets it look.
func (f doctorFlags) examine(ctx context.Context, flags *clusterFlags, program string) (doctor.Report, error) {
	restConfig, err := flags.restConfig()
	if err != nil {
		return doctor.Report{}, err
	}
	restConfig.QPS = -1 // A few hundred small questions, a few at a time.
	restConfig.Timeout = f.timeout
	c, err := fullClient(restConfig)
	if err != nil {
		return doctor.Report{}, err
	}
	server, err := discovery.NewDiscoveryClientForConfig(restConfig)
	if err != nil {
		return doctor.Report{}, fmt.Errorf("reach the cluster: %w", err)
	}
	if _, err := server.ServerVersion(); err != nil {
		if _, silent := errors.AsType[net.Error](err); silent {
			return doctor.Report{}, explainReadError(err) // Every check would say the same.
		}
	}
	cfg, first, err := f.config(ctx, c)
	if err != nil {
		return doctor.Report{}, err
	}
	o := doctor.Options{REST: restConfig, Client: c, Config: cfg, ConfigFrom: first.Where, Clock: clock.RealClock{}, Program: program, Discovery: server}
	addServers(&o, cfg)
	report := doctor.Examine(ctx, o)
	report.Findings = append([]doctor.Finding{first}, report.Findings...)
	return report, nil
}

// addServers prepares to ask Prometheus and the model. What keeps that from working, such as a file of the recommender's pod, is
// found when they are asked: all else is looked at nevertheless.
func addServers(o *doctor.Options, cfg config.Config) {
	querier, err := newHistoryClient(cfg.Prometheus)
	reader, errReader := newHistoryReader(cfg.Prometheus, nil)
	if err = cmp.Or(err, errReader); err != nil {
		o.Prometheus = unprepared{err}
	} else {
		o.Prometheus, _ = querier.(doctor.Prometheus)
		o.Queries = reader.Queries
	}
	if cfg.Advisor.URL == "" {
		return
	}
	asked, err := newModelClient(cfg.Advisor)
	o.Model = func(ctx context.Context) error {
		if err != nil {
			return err
		}
		_, err := asked.Digest(ctx)
		return err
	}
}

// unprepared is a Prometheus that cannot be asked.
type unprepared struct{ error }

func (u unprepared) Query(context.Context, string, time.Time, ...promv1.Option) (model.Value, promv1.Warnings, promv1.Infos, error) {
	return nil, nil, nil, u.error
}

// config is the configuration to look by, and what there is to say about it.
func (f doctorFlags) config(ctx context.Context, reader client.Reader) (config.Config, doctor.Finding, error) {
	found := doctor.Finding{Check: "configuration", Severity: doctor.OK}
	var cfg config.Config
	var err error
	if f.configFile != "" {
		if cfg, err = loadConfig(f.configFile); err != nil {
			return cfg, found, codedError{error: err, code: exitUsage}
		}
		found.Where, found.What = f.configFile, "it is right"
	} else {
		cfg, found.Where, err = doctor.FindConfig(ctx, reader, f.namespace)
		switch {
		case apierrors.IsForbidden(err):
			found.Severity, found.What, found.Fix = doctor.Unseen, "you may not read it; the defaults are taken", doctor.CanI(err)
		case apierrors.IsNotFound(err):
			found.Severity, found.What = doctor.Error, err.Error()
			found.Fix = fmt.Sprintf("kubectl --namespace %s describe pods --selector app.kubernetes.io/part-of=loadline", f.namespace)
		case err != nil:
			found.Severity, found.What = doctor.Error, err.Error()
			found.Fix = fmt.Sprintf("kubectl --namespace %s edit %s", f.namespace, cmp.Or(found.Where, "configmap/loadline-config"))
		case found.Where == "":
			found.What = "no Deployment names one: the defaults are taken"
		default:
			found.What = "it is right"
		}
	}
	err = f.reach(&cfg) // before cfg is returned, which it changes
	return cfg, found, err
}

// reach names the servers as they are reached from here.
func (f doctorFlags) reach(cfg *config.Config) error {
	if f.model == "" && f.prometheus == "" {
		return nil
	}
	if cfg.Advisor.URL != "" {
		cfg.Advisor.URL = cmp.Or(f.model, cfg.Advisor.URL)
	}
	cfg.Prometheus.URL = cmp.Or(f.prometheus, cfg.Prometheus.URL)
	if wrong := config.Validate(cfg).ToAggregate(); wrong != nil {
		return codedError{error: wrong, code: exitUsage}
	}
	return nil
}

// fullClient knows Kubernetes' kinds, definitions of kinds, and Loadline's.
func fullClient(restConfig *rest.Config) (client.Client, error) {
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), apiextensionsv1.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return nil, fmt.Errorf("prepare the client: %w", err)
	}
	c, err := client.New(restConfig, client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("reach the cluster: %w", err)
	}
	return c, nil
}

// inColour reports whether what is written may be coloured: on a terminal, unless NO_COLOR is set to anything.
func inColour(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd())) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}
