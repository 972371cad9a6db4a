package notify

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	tries   *prometheus.CounterVec
	given   *prometheus.CounterVec
	stopped *prometheus.CounterVec
	lag     *prometheus.GaugeVec
	seconds *prometheus.HistogramVec
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		tries: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "waybill_notify_tries_total",
			Help: "Attempts to deliver a message, by shape and outcome: delivered, failed."}, []string{"shape", "outcome"}),
		given: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "waybill_notify_given_up_total",
			Help: "Messages that were not delivered in three days, by shape."}, []string{"shape"}),
		stopped: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "waybill_notify_subscriptions_stopped_total",
			Help: "Subscriptions that were stopped, by why: paused (failed for days), disabled (answered 410 Gone)."}, []string{"state"}),
		lag: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "waybill_notify_lag_seconds",
			Help: "Age of the oldest message that a subscription has not been offered yet."}, []string{"subscription"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "waybill_notify_delay_seconds",
			Help: "Time from an event to its first delivery, by shape.", Buckets: prometheus.ExponentialBuckets(0.002, 2, 18)}, []string{"shape"}),
	}
	if r != nil {
		r.MustRegister(m.tries, m.given, m.stopped, m.lag, m.seconds)
	}
	return m
}
