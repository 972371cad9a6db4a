package clock

import "time"

// Real is the machine's clock. This file is the only one in core that reads it.
func Real() Clock { return realClock{} }

type realClock struct{}

var _ Clock = realClock{}

// Now keeps the monotonic reading, so that differences survive a step of the wall clock.
func (realClock) Now() time.Time { return time.Now().UTC() }

func (realClock) NewTimer(d time.Duration) Timer { return realTimer{time.NewTimer(d)} }

type realTimer struct{ t *time.Timer }

func (r realTimer) C() <-chan time.Time        { return r.t.C }
func (r realTimer) Stop() bool                 { return r.t.Stop() }
func (r realTimer) Reset(d time.Duration) bool { return r.t.Reset(d) }
