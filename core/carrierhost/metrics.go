package carrierhost

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/waybill-dev/waybill/sdk/carrier"
)

// metrics are what an operator watches. Durations are seconds.
type metrics struct {
	up       *prometheus.GaugeVec     // by adapter
	restarts *prometheus.CounterVec   // by adapter
	deaths   *prometheus.CounterVec   // by adapter, cause
	inFlight *prometheus.GaugeVec     // by adapter, tenant, account
	breaker  *prometheus.GaugeVec     // by adapter, tenant, account, class: 1 while open
	calls    *prometheus.CounterVec   // by adapter, tenant, account, op, code
	latency  *prometheus.HistogramVec // by adapter, tenant, account, op
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	account := []string{"carrier", "tenant", "account"}
	m := &metrics{
		up: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "waybill_adapter_up", Help: "1 while the adapter's process is ready."}, account[:1]),
		restarts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "waybill_adapter_restarts_total", Help: "Starts after a death."}, account[:1]),
		deaths: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "waybill_adapter_deaths_total", Help: "Ends of adapter processes that nobody asked for."}, []string{"carrier", "cause"}),
		inFlight: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "waybill_carrier_calls_in_flight", Help: "Calls that an account is making."}, account),
		breaker: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "waybill_carrier_breaker_open", Help: "1 while an account's breaker keeps a class of calls back."}, append(account[:3:3], "class")),
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "waybill_carrier_calls_total", Help: "Calls by outcome; ok, or the code of the error."}, append(account[:3:3], "op", "code")),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "waybill_carrier_call_seconds", Help: "Time from an account's place being free to the adapter's answer.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}}, append(account[:3:3], "op")),
	}
	if r == nil {
		return m, nil
	}
	var faults []error
	for _, c := range []prometheus.Collector{m.up, m.restarts, m.deaths, m.inFlight, m.breaker, m.calls, m.latency} {
		faults = append(faults, r.Register(c))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, fmt.Errorf("register metrics of the carrier host: %w", err)
	}
	return m, nil
}

// meters are the series of one account, found once so that a call pays for no lookup.
type meters struct {
	metrics  *metrics
	labels   []string // carrier, tenant, account
	inFlight prometheus.Gauge
	ops      [numOps]atomic.Pointer[meter]
}

type meter struct {
	meters  *meters
	op      op
	ok      prometheus.Counter
	latency prometheus.Observer
}

func (m *meters) init(all *metrics, adapter string, key accountKey) {
	m.metrics, m.labels = all, []string{adapter, key.tenant, key.id}
	m.inFlight = all.inFlight.WithLabelValues(m.labels...)
}

func (m *meters) with(more ...string) []string { return append(m.labels[:3:3], more...) }

// of answers the series of an operation, which do not exist before its first call.
func (m *meters) of(o op) *meter {
	if x := m.ops[o].Load(); x != nil {
		return x
	}
	name := ops[o].name
	x := &meter{meters: m, op: o,
		ok:      m.metrics.calls.WithLabelValues(m.with(name, "ok")...),
		latency: m.metrics.latency.WithLabelValues(m.with(name)...),
	}
	m.ops[o].Store(x)
	return x
}

func (x *meter) count(c carrier.Code) {
	x.meters.metrics.calls.WithLabelValues(x.meters.with(ops[x.op].name, string(c))...).Inc()
}

func (x *meter) observe(took time.Duration, failure *carrier.Error) {
	x.latency.Observe(took.Seconds())
	if failure != nil {
		x.count(failure.Code)
		return
	}
	x.ok.Inc()
}

func (m *meters) breakerMoved(k class) func(open bool) {
	g := m.metrics.breaker.WithLabelValues(m.with(classNames[k])...)
	g.Set(0)
	return func(open bool) {
		if open {
			g.Set(1)
		} else {
			g.Set(0)
		}
	}
}

// forget removes the series of an account that is no more.
func (m *meters) forget() {
	by := prometheus.Labels{"carrier": m.labels[0], "tenant": m.labels[1], "account": m.labels[2]}
	m.metrics.inFlight.DeletePartialMatch(by)
	m.metrics.breaker.DeletePartialMatch(by)
	m.metrics.calls.DeletePartialMatch(by)
	m.metrics.latency.DeletePartialMatch(by)
}
