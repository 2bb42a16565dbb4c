package limit

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"
)

// Redis counts for several nodes: each key may be used Burst times in a window. While Redis is away each node
// counts for itself.
type Redis struct {
	client redis.UniversalClient
	window time.Duration
	burst  int64
	local  *Local
}

// NewRedis makes a Redis. The client stays the caller's.
func NewRedis(client redis.UniversalClient, every time.Duration, burst int) *Redis {
	return &Redis{client: client, window: every * time.Duration(burst), burst: int64(burst), local: NewLocal(every, burst)}
}

// useScript counts a key; the first use starts its window.
var useScript = redis.NewScript(`
local n = redis.call('INCR', KEYS[1])
if n == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return n`)

func key(k string) string { return "signalbox:limit:" + k }

// Allow uses a key once; false if it is used up for now.
func (l *Redis) Allow(ctx context.Context, k string) bool {
	n, err := useScript.Run(ctx, l.client, []string{key(k)}, l.window.Milliseconds()).Int64()
	if err != nil {
		return l.local.Allow(ctx, k)
	}
	return n <= l.burst
}

// returnScript takes a use back; a window that has ended meanwhile is left alone.
var returnScript = redis.NewScript(`
if redis.call('EXISTS', KEYS[1]) == 1 then return redis.call('DECR', KEYS[1]) end
return 0`)

// Return takes a use back that shall not count.
func (l *Redis) Return(ctx context.Context, k string) {
	l.local.Return(ctx, k)
	returnScript.Run(ctx, l.client, []string{key(k)}) // if it fails, the window ends by itself
}

// Reset forgets a key.
func (l *Redis) Reset(ctx context.Context, k string) {
	l.local.Reset(ctx, k)
	l.client.Del(ctx, key(k)) // if it fails, the window ends by itself
}
