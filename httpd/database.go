package httpd

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"stackforge/db"
)

// Pool adds the numbers of a connection pool, read when somebody looks. name tells pools apart ("api", "worker").
func (m *Metrics) Pool(name string, stat func() db.PoolStat) {
	m.pools.mu.Lock()
	defer m.pools.mu.Unlock()
	m.pools.list = append(m.pools.list, pool{name, stat})
}

type pool struct {
	name string
	stat func() db.PoolStat
}

// pools collects the numbers of all pools.
type pools struct {
	mu   sync.Mutex
	list []pool
}

type poolMetric struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(db.PoolStat) float64
}

func poolMetrics() []poolMetric {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, []string{"pool"}, nil)
	}
	return []poolMetric{
		{
			desc("postgres_connections_active", "Connections in use."), prometheus.GaugeValue,
			func(s db.PoolStat) float64 { return float64(s.InUse) },
		},
		{
			desc("postgres_connections_idle", "Connections that are open and free."), prometheus.GaugeValue,
			func(s db.PoolStat) float64 { return float64(s.Idle) },
		},
		{
			desc("postgres_connections_max", "Most connections at one time."), prometheus.GaugeValue,
			func(s db.PoolStat) float64 { return float64(s.Max) },
		},
		{
			desc("postgres_pool_utilization_ratio", "Connections in use, as a part of the most."), prometheus.GaugeValue,
			func(s db.PoolStat) float64 { return float64(s.InUse) / float64(max(s.Max, 1)) },
		},
		{
			desc("postgres_pool_waits_total", "Times that a connection had to be waited for."), prometheus.CounterValue,
			func(s db.PoolStat) float64 { return float64(s.Waits) },
		},
		{
			desc("postgres_pool_wait_seconds_total", "Time that connections were waited for."), prometheus.CounterValue,
			func(s db.PoolStat) float64 { return s.WaitTime.Seconds() },
		},
		{
			desc("postgres_connections_opened_total", "Connections opened."), prometheus.CounterValue,
			func(s db.PoolStat) float64 { return float64(s.Opened) },
		},
	}
}

// Describe implements prometheus.Collector.
func (p *pools) Describe(ch chan<- *prometheus.Desc) {
	for _, m := range poolMetrics() {
		ch <- m.desc
	}
}

// Collect implements prometheus.Collector.
func (p *pools) Collect(ch chan<- prometheus.Metric) {
	p.mu.Lock()
	list := p.list
	p.mu.Unlock()
	metrics := poolMetrics()
	for _, one := range list {
		stat := one.stat()
		for _, m := range metrics {
			ch <- prometheus.MustNewConstMetric(m.desc, m.kind, m.value(stat), one.name)
		}
	}
}

// DatabaseStats is what the database says about itself. Queries that are known to be slow, such as sizes, are asked by
// SampleDatabase at intervals and not when somebody looks.
type DatabaseStats struct {
	CacheHitRatio float64 // block reads answered from shared buffers, 0 to 1
	Tables        []Size
	Indexes       []Size
}

// Size is the size of one table or index on disk.
type Size struct {
	Name  string
	Bytes int64
}

// maxSizes bounds the tables and indexes that are shown; the caller gives the largest first.
const maxSizes = 200

// SampleDatabase calls read now and then at each interval until ctx ends, and shows what it last returned. failed is told
// of errors; a nil one drops them.
func (m *Metrics) SampleDatabase(
	ctx context.Context, every time.Duration, read func(ctx context.Context) (DatabaseStats, error), failed func(error),
) {
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		s, err := read(ctx)
		if err == nil {
			m.stats.Store(&s)
		} else if failed != nil && ctx.Err() == nil {
			failed(err)
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// statsCollector shows the last sample.
type statsCollector struct{ m *Metrics }

type statsDescs struct{ ratio, table, index *prometheus.Desc }

func newStatsDescs() statsDescs {
	return statsDescs{
		ratio: prometheus.NewDesc("postgres_cache_hit_ratio",
			"Block reads that shared buffers answered, as a part of all.", nil, nil),
		table: prometheus.NewDesc("postgres_table_size_bytes",
			"Size of a table on disk, without its indexes.", []string{"table"}, nil),
		index: prometheus.NewDesc("postgres_index_size_bytes", "Size of an index on disk.", []string{"index"}, nil),
	}
}

// Describe implements prometheus.Collector.
func (statsCollector) Describe(ch chan<- *prometheus.Desc) {
	d := newStatsDescs()
	ch <- d.ratio
	ch <- d.table
	ch <- d.index
}

// Collect implements prometheus.Collector.
func (c statsCollector) Collect(ch chan<- prometheus.Metric) {
	s := c.m.stats.Load()
	if s == nil {
		return
	}
	d := newStatsDescs()
	ch <- prometheus.MustNewConstMetric(d.ratio, prometheus.GaugeValue, s.CacheHitRatio)
	sizes(ch, d.table, s.Tables)
	sizes(ch, d.index, s.Indexes)
}

// sizes skips repeated names, which the registry would refuse together with everything else.
func sizes(ch chan<- prometheus.Metric, desc *prometheus.Desc, list []Size) {
	seen := map[string]bool{}
	for _, s := range list[:min(len(list), maxSizes)] {
		if !seen[s.Name] {
			seen[s.Name] = true
			ch <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, float64(s.Bytes), s.Name)
		}
	}
}
