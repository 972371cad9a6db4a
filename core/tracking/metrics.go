package tracking

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	polls   *prometheus.CounterVec
	pushes  *prometheus.CounterVec
	events  *prometheus.CounterVec
	late    prometheus.Counter
	parked  prometheus.Counter
	taken   prometheus.Counter
	expired prometheus.Counter
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		polls: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "waybill_tracking_polls_total",
			Help: "Numbers that carriers were asked about, by adapter and outcome: news, quiet, unknown, failed."}, []string{"adapter", "outcome"}),
		pushes: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "waybill_tracking_pushes_total",
			Help: "Pushes of carriers, by adapter and outcome: news, repeated, parked, rejected, failed."}, []string{"adapter", "outcome"}),
		events: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "waybill_tracking_events_total",
			Help: "Events that entered timelines, by how they came."}, []string{"origin"}),
		late: prometheus.NewCounter(prometheus.CounterOpts{Name: "waybill_tracking_late_events_total",
			Help: "Events that entered a timeline without moving the present."}),
		parked: prometheus.NewCounter(prometheus.CounterOpts{Name: "waybill_tracking_parked_total",
			Help: "Updates that were pushed about numbers that nobody follows."}),
		taken: prometheus.NewCounter(prometheus.CounterOpts{Name: "waybill_tracking_unparked_total",
			Help: "Parked updates that found their tracker."}),
		expired: prometheus.NewCounter(prometheus.CounterOpts{Name: "waybill_tracking_expired_total",
			Help: "Trackers that nobody asks for any more, because the carrier did not know them or was silent."}),
	}
	if r != nil {
		r.MustRegister(m.polls, m.pushes, m.events, m.late, m.parked, m.taken, m.expired)
	}
	return m
}
