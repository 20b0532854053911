package webhook

import (
	"context"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	toolscache "k8s.io/client-go/tools/cache"

	"github.com/loadline-dev/loadline/api/v1alpha1"
)

// pageSize is how many Recommendations are read at a time. Whole they have up to 32 KiB each.
const pageSize = 250

// newInformer makes an informer that reads Recommendations in pages and strips each of them. An API server that does not stream
// lists would send all at once, and what is kept of them is a small part.
func newInformer(lw toolscache.ListerWatcher, obj runtime.Object, resync time.Duration, by toolscache.Indexers) toolscache.SharedIndexInformer {
	if _, ok := obj.(*v1alpha1.Recommendation); ok {
		all := toolscache.ToListerWatcherWithContext(lw)
		lw = &toolscache.ListWatch{
			ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
				return listInPages(ctx, all, options)
			},
			WatchFuncWithContext: all.WatchWithContext,
		}
	}
	return toolscache.NewSharedIndexInformer(lw, obj, resync, by)
}

// listInPages returns all Recommendations, stripped. It asks for the newest state: of an older one, API servers send no pages.
func listInPages(ctx context.Context, lw toolscache.ListerWithContext, options metav1.ListOptions) (runtime.Object, error) {
	options.Limit, options.ResourceVersion, options.ResourceVersionMatch = pageSize, "", ""
	all := &v1alpha1.RecommendationList{}
	for {
		answer, err := lw.ListWithContext(ctx, options)
		if err != nil {
			return nil, err
		}
		page, ok := answer.(*v1alpha1.RecommendationList)
		if !ok {
			return answer, nil
		}
		for i := range page.Items {
			all.Items = append(all.Items, *strippedRecommendation(&page.Items[i]))
		}
		all.ListMeta = metav1.ListMeta{ResourceVersion: page.ResourceVersion}
		if options.Continue = page.Continue; options.Continue == "" {
			return all, nil
		}
	}
}
