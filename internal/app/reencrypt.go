package app

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"rolecall/internal/atrest"
	"rolecall/internal/config"
)

// reportEvery is how often a long work tells how far it has come.
const reportEvery = 5 * time.Second

// Reencrypt has all messages kept by the first of the encryption keys, or not encrypted where that is plain, while servers use the
// database. It can be broken off at any time: begun again it finds what is left to do. It returns what has become of them.
func Reencrypt(ctx context.Context, c config.Config, log *slog.Logger) (all atrest.Progress, err error) {
	if c.TextKeys == nil {
		return all, errors.New(config.Variable("encryption-keys") + " is not set: name the keys, the newest first; " +
			"with " + atrest.Plain + " as the first, what is encrypted is decrypted")
	}
	opened, err := openDatabase(ctx, c, log)
	if err != nil {
		return all, err
	}
	defer func() { err = errors.Join(err, opened.Close()) }()
	told := time.Now()
	for {
		if err := ctx.Err(); err != nil {
			return all, err
		}
		done, err := opened.Texts.Reencrypt(ctx, all.Next)
		if err != nil {
			return all, err
		}
		all.Looked, all.Changed, all.Unreadable = all.Looked+done.Looked, all.Changed+done.Changed, all.Unreadable+done.Unreadable
		if all.Next = done.Next; done.Looked == 0 {
			return all, nil
		}
		if time.Since(told) > reportEvery {
			told = time.Now()
			log.InfoContext(ctx, "reencrypting", "looked at", all.Looked, "changed", all.Changed, "unreadable", all.Unreadable)
		}
	}
}
