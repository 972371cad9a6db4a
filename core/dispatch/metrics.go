package dispatch

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	orders   *prometheus.CounterVec
	attempts *prometheus.CounterVec
	doubt    prometheus.Counter
	spares   prometheus.Counter
	trials   *prometheus.CounterVec
	failed   *prometheus.CounterVec
	walk     prometheus.Histogram
	own      prometheus.Histogram
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		orders: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "waybill_orders_total",
			Help: "Dispatch runs by how they ended."}, []string{"outcome"}),
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "waybill_attempts_total",
			Help: "Booking attempts by adapter and state."}, []string{"adapter", "state"}),
		doubt: prometheus.NewCounter(prometheus.CounterOpts{Name: "waybill_attempts_in_doubt_total",
			Help: "Booking attempts whose outcome was unknown at first."}),
		spares: prometheus.NewCounter(prometheus.CounterOpts{Name: "waybill_spare_bookings_total",
			Help: "Bookings found at carriers that no order wants."}),
		trials: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "waybill_rules_trial_decisions_total",
			Help: "Decisions that other rules looked on at, by tenant, by whether the rules on trial decided, and by what the others made of it: same, differs, unknown."},
			[]string{"tenant", "canary", "outcome"}),
		failed: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "waybill_rules_failed_total",
			Help: "Decisions in which a rule failed while it ran, by tenant, phase and rule; score and ties stand for the ranking. Rules beyond the first 500 that failed go together."},
			[]string{"tenant", "phase", "rule"}),
		walk: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "waybill_dispatch_seconds",
			Help: "Time from the start of a dispatch run to its end.", Buckets: prometheus.ExponentialBuckets(0.002, 2, 15)}),
		own: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "waybill_dispatch_own_seconds",
			Help: "Part of a dispatch run that was not spent waiting for carriers.", Buckets: prometheus.ExponentialBuckets(0.0005, 2, 15)}),
	}
	if r != nil {
		r.MustRegister(m.orders, m.attempts, m.doubt, m.spares, m.trials, m.failed, m.walk, m.own)
	}
	return m
}
