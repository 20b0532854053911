package updater

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/config"
)

// killSwitchKey is the key of the kill switch's ConfigMap, and killSwitchOff the only value that lets the updater work.
const (
	killSwitchKey = "stop"
	killSwitchOff = "false"
)

// Halts says why the updater of a cluster changes nothing, or only a little: its kill switch, and its circuit breaker as it was when
// its state was last stored. Nothing means that neither is in the way.
func Halts(ctx context.Context, reader client.Reader, cfg config.Config) ([]string, error) {
	stop, err := killSwitch(ctx, reader, cfg)
	if err != nil {
		return nil, err
	}
	var record corev1.ConfigMap
	key := client.ObjectKey{Namespace: cfg.Namespace, Name: cfg.Updater.RecordConfigMap}
	if err := reader.Get(ctx, key, &record); client.IgnoreNotFound(err) != nil {
		return nil, fmt.Errorf("read the updater's record: %w", err)
	}
	state, err := decodeBreaker(record.Data[recordBreaker])
	if err != nil {
		return nil, fmt.Errorf("read key %s of ConfigMap %s: %w", recordBreaker, key, err)
	}
	var halts []string
	for _, reason := range []string{stop, state.Reason()} {
		if reason != "" {
			halts = append(halts, reason)
		}
	}
	return halts, nil
}

// killSwitch says who stopped the updater; no ConfigMap means nobody did. Whoever pulls it is in a hurry, so a ConfigMap
// without the key, or with "yes" or "True" in it, stops as well.
func killSwitch(ctx context.Context, reader client.Reader, cfg config.Config) (string, error) {
	var cm corev1.ConfigMap
	key := client.ObjectKey{Namespace: cfg.Namespace, Name: cfg.Updater.KillSwitchConfigMap}
	switch err := reader.Get(ctx, key, &cm); {
	case apierrors.IsNotFound(err):
		return "", nil
	case err != nil:
		return "", fmt.Errorf("read the kill switch: %w", err)
	case strings.EqualFold(strings.TrimSpace(cm.Data[killSwitchKey]), killSwitchOff):
		return "", nil
	default:
		return fmt.Sprintf("ConfigMap %s is there and does not say %s: %q", key, killSwitchKey, killSwitchOff), nil
	}
}
