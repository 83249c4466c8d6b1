package daemon

import (
	"context"

	"github.com/layerwise/layerwise/cachemodel/baseline"
	"github.com/layerwise/layerwise/cachemodel/record"
)

// Configured gives the history of the daemon that is configured, see Find; nil if there is none.
func Configured(setting string) (*Daemon, error) {
	places := UserPlaces()
	e, err := Find(setting, places)
	if err != nil || e == nil {
		return nil, err
	}
	return New(*e, places), nil
}

// History finds the last build for baseline.Last; the options say which of several is wanted.
func (d *Daemon) History(o baseline.Options) baseline.History {
	return func(ctx context.Context, r baseline.Request) (*record.Record, error) {
		return d.LastBuild(ctx, Query{
			Dockerfile: r.Dockerfile, ContextDir: r.ContextDir, CacheDir: r.CacheDir,
			Target: o.Target, Platform: o.Platform, Contexts: o.Contexts, ContextAt: r.ContextAt,
		})
	}
}
