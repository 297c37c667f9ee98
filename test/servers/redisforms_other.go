//go:build !unix

package servers

import "testing"

// RedisCluster is three Redis servers that share the slots.
type RedisCluster struct {
	URL     string
	Servers []*Redis
}

// StartRedisCluster skips the test.
func StartRedisCluster(t testing.TB, _ ...string) *RedisCluster {
	return &RedisCluster{URL: StartRedis(t).URL}
}

// Empty skips the test.
func (*RedisCluster) Empty(t testing.TB, _ int) { StartRedis(t) }

// RedisSentinel is a primary, its replica, and a Sentinel.
type RedisSentinel struct {
	URL              string
	Primary, Replica *Redis
}

// StartRedisSentinel skips the test.
func StartRedisSentinel(t testing.TB) *RedisSentinel { return &RedisSentinel{URL: StartRedis(t).URL} }

// RedisTLS is a Redis server that is reached by TLS.
type RedisTLS struct {
	*Redis
	URL, CAFile, CertFile, KeyFile, Others string
}

// StartRedisTLS skips the test.
func StartRedisTLS(t testing.TB) *RedisTLS { return &RedisTLS{Redis: StartRedis(t)} }
