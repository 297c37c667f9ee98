package clientip_test

import (
	"fmt"
	"strings"
	"testing"

	"rolecall/internal/clientip"
)

func TestParseProxies(t *testing.T) {
	for text, want := range map[string]string{
		"":                              "[]",
		" , ":                           "[]",
		"127.0.0.1":                     "[127.0.0.1/32]",
		"::1":                           "[::1/128]",
		" 10.0.0.0/8 ,192.168.0.0/16, ": "[10.0.0.0/8 192.168.0.0/16]",
		"2001:db8::/32":                 "[2001:db8::/32]",
		"::ffff:10.0.0.1":               "[10.0.0.1/32]",
		"::ffff:10.0.0.0/104":           "[10.0.0.0/8]",
		"::ffff:0.0.0.0/96":             "[0.0.0.0/0]",
		"0.0.0.0/0,::/0":                "[0.0.0.0/0 ::/0]",
	} {
		got, err := clientip.ParseProxies(text)
		if err != nil || fmt.Sprint(got) != want {
			t.Errorf("ParseProxies(%q) = %v, %v; want %s", text, got, err, want)
		}
	}
	for text, names := range map[string]string{
		"localhost": "localhost", "10.0.0": "10.0.0", "10.0.0.0/33": "10.0.0.0/33", "10.0.0.0/": "10.0.0.0/", "/8": "/8",
		"10.0.0.1/8": "10.0.0.0/8", "2001:db8::1/32": "2001:db8::/32", "fe80::1%eth0": "fe80::1%eth0", "fe80::%eth0/64": "fe80::%eth0/64",
		"10.0.0.1:80": "10.0.0.1:80", "[::1]": "[::1]", "10.0.0.1;10.0.0.2": "10.0.0.1;10.0.0.2", "127.0.0.1,x": `"x"`, "*": "*",
	} {
		got, err := clientip.ParseProxies(text)
		if err == nil || got != nil || !strings.Contains(err.Error(), names) {
			t.Errorf("ParseProxies(%q) = %v, %v; want an error that names %s", text, got, err, names)
		}
	}
}

func TestTrustsAll(t *testing.T) {
	for text, want := range map[string]bool{
		"": false, "10.0.0.0/8,::1": false, "0.0.0.0/1": false, "10.0.0.0/8,0.0.0.0/0": true, "::/0": true, "::ffff:0.0.0.0/96": true,
	} {
		proxies, err := clientip.ParseProxies(text)
		if got := clientip.TrustsAll(proxies); err != nil || got != want {
			t.Errorf("TrustsAll(%s) = %t, %v", text, got, err)
		}
	}
}
