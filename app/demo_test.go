package app

import (
	"context"
	"testing"
	"time"
)

func TestDemoShowsEveryReply(t *testing.T) {
	beside(t)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if err := (&DemoCommand{Once: true, Listen: "127.0.0.1:0"}).Run(ctx); err != nil {
		t.Fatal(err)
	}
}
