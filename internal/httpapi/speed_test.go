package httpapi

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener of connections within the process.
type pipes struct {
	conns chan net.Conn
	once  sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	c, ok := <-p.conns
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}
func (p *pipes) Close() error   { p.once.Do(func() { close(p.conns) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// from gives a connection an address.
type from struct {
	net.Conn
	address string
}

func (f from) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(f.address))
}

// serve answers on pipes; dial opens a connection from an address.
func serve(t *testing.T, h http.Handler) (dial func(address string) net.Conn, stop func()) {
	t.Helper()
	l := &pipes{conns: make(chan net.Conn)}
	s := &http.Server{Handler: LeastSpeed(h), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute}
	go s.Serve(&listener{Listener: l, most: 8, each: 4, by: map[netip.Addr]int{}})
	return func(address string) net.Conn {
			near, far := net.Pipe()
			l.conns <- from{far, address}
			return near
		}, func() {
			s.Close()
			synctest.Wait()
		}
}

const head = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"

// TestABodyThatDrips is cut, however it is read; one that moves may take as long as it needs.
func TestABodyThatDrips(t *testing.T) {
	for name, tc := range map[string]struct {
		every time.Duration
		bytes int
		slow  bool
	}{
		"a byte a minute": {time.Minute, 1, true},
		"a byte a second": {time.Second, 1, true},
		"nothing":         {time.Hour, 0, true},
		"1 KB a second":   {time.Second, 1000, false},
		"in lumps":        {15 * time.Second, 20_000, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			var result error
			var took time.Duration
			began, over := time.Now(), make(chan struct{})
			dial, stop := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, result = io.Copy(io.Discard, r.Body)
				took = time.Since(began)
				close(over)
			}))
			defer stop()
			c := dial("10.0.0.1:1")
			go io.Copy(io.Discard, c)
			io.WriteString(c, head)
			for sent := 0; sent < 1_000_000; sent += tc.bytes {
				time.Sleep(tc.every)
				if _, err := io.WriteString(c, strings.Repeat("x", tc.bytes)); err != nil || closed(over) {
					break
				}
			}
			c.Close()
			<-over
			if slow := errors.Is(result, ErrSlowBody); slow != tc.slow || slow && took > time.Minute {
				t.Errorf("%s: %v after %s", name, result, took)
			}
		})
	}
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// TestABodyThatNobodyReads does not keep its connection.
func TestABodyThatNobodyReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dial, stop := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {}))
		defer stop()
		c := dial("10.0.0.1:1")
		began := time.Now()
		go io.WriteString(c, head)
		_, err := io.Copy(io.Discard, c)
		if took := time.Since(began); took > 2*restWithin {
			t.Errorf("%v after %s", err, took)
		}
	})
}

// TestAClientThatNeverReads is cut off while it is answered; one that waits for its answer is not.
func TestAClientThatNeverReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var result error
		ended := make(chan struct{})
		dial, stop := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/held" {
				select {
				case <-time.After(10 * time.Minute):
				case <-r.Context().Done():
				}
				io.WriteString(w, "late")
				return
			}
			defer close(ended)
			for result == nil {
				_, result = io.WriteString(w, strings.Repeat("x", 4096))
			}
		}))
		defer stop()
		c := dial("10.0.0.1:1")
		began := time.Now()
		io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		<-ended
		if took := time.Since(began); took > 2*writeWithin || result == nil {
			t.Errorf("%v after %s", result, took)
		}
		held := dial("10.0.0.1:2")
		go io.WriteString(held, "GET /held HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		if answer, err := io.ReadAll(held); err != nil || !strings.HasSuffix(string(answer), "late") {
			t.Errorf("%q %v", answer, err)
		}
	})
}

// TestConnectionsOfOneAddress do not keep others out.
func TestConnectionsOfOneAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dial, stop := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "here") }))
		defer stop()
		ask := func(address string) bool {
			c := dial(address)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			go func() {
				<-ctx.Done()
				c.Close()
			}()
			go io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
			answer, _ := io.ReadAll(c)
			return strings.HasSuffix(string(answer), "here")
		}
		var open []net.Conn
		for range 4 {
			open = append(open, dial("[2001:db8::1]:1"))
		}
		synctest.Wait()
		if ask("[2001:db8::2]:1") || !ask("[2001:db8:0:1::1]:1") || !ask("10.0.0.2:1") {
			t.Error("another address of the same network is served, or another network is not")
		}
		for _, c := range open {
			c.Close()
		}
		synctest.Wait()
		if !ask("[2001:db8::1]:1") {
			t.Error("places are not given back")
		}
	})
}

func TestAddressAndNetwork(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	for _, tc := range []struct{ remote, forwarded, want string }{
		{"192.0.2.1:9", "198.51.100.7", "192.0.2.1"},
		{"10.0.0.1:9", "198.51.100.7", "198.51.100.7"},
		{"10.0.0.1:9", "6.6.6.6, 198.51.100.7, 10.0.0.2", "198.51.100.7"},
		{"10.0.0.1:9", "", "10.0.0.1"},
		{"", "198.51.100.7", ""},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = tc.remote
		r.Header.Set("X-Forwarded-For", tc.forwarded)
		if got := Address(r, trusted); got != tc.want {
			t.Errorf("%+v: %s", tc, got)
		}
	}
	for in, want := range map[string]string{"192.0.2.1": "192.0.2.1", "[::ffff:192.0.2.1]:80": "192.0.2.1", "2001:db8::1": "2001:db8::", "fe80::1%eth0": "fe80::", "x": "invalid IP"} {
		if got := Network(in).String(); got != want {
			t.Errorf("%s: %s", in, got)
		}
	}
}
