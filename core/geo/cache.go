package geo

import (
	"container/list"
	"sync"
)

// cache remembers the places used last.
type cache struct {
	mu    sync.Mutex
	size  int
	order *list.List // of cached, the one used last in front
	byKey map[string]*list.Element
}

type cached struct {
	key   string
	place Place
}

func newCache(size int) *cache {
	return &cache{size: size, order: list.New(), byKey: map[string]*list.Element{}}
}

func (c *cache) get(key string) (Place, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, found := c.byKey[key]
	if !found {
		return Place{}, false
	}
	c.order.MoveToFront(e)
	return e.Value.(cached).place, true
}

func (c *cache) put(key string, place Place) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, found := c.byKey[key]; found {
		c.order.Remove(e)
	}
	c.byKey[key] = c.order.PushFront(cached{key, place})
	if c.order.Len() > c.size {
		last := c.order.Remove(c.order.Back()).(cached)
		delete(c.byKey, last.key)
	}
}
