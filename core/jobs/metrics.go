package jobs

import "github.com/prometheus/client_golang/prometheus"

// Metrics are what a Runner tells about itself.
type Metrics struct {
	jobs    *prometheus.CounterVec
	lag     *prometheus.HistogramVec
	running prometheus.Gauge
	overdue prometheus.Gauge
}

// NewMetrics makes the metrics and registers them with reg, where that is not nil.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		jobs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "waybill_jobs_total",
			Help: "Jobs run, by kind (unknown where there is no handler) and outcome: done, again, settled, failed, lost, unwritten.",
		}, []string{"kind", "outcome"}),
		lag: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "waybill_job_lag_seconds", Help: "From when a job was due to when it began to run.",
			Buckets: []float64{.01, .05, .1, .5, 1, 5, 10, 60, 300, 3600},
		}, []string{"kind"}),
		running: prometheus.NewGauge(prometheus.GaugeOpts{Name: "waybill_jobs_running", Help: "Jobs that run now."}),
		overdue: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "waybill_jobs_overdue_seconds", Help: "How long the earliest job that waits for a worker has been due.",
		}),
	}
	if reg != nil {
		reg.MustRegister(m.jobs, m.lag, m.running, m.overdue)
	}
	return m
}
