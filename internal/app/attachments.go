package app

import (
	"context"
	"fmt"
	"path/filepath"

	"rolecall/internal/blobs"
	"rolecall/internal/config"
	"rolecall/internal/services/attachments"
)

// Folders of the data folder.
const (
	// attachmentsFolder has the files of messages, where no other place is configured.
	attachmentsFolder = "attachments"
	// spoolFolder has uploads that are on their way.
	spoolFolder = "uploads"
)

// AttachmentsFolder is where a server with these settings keeps files of messages; "" where they are not in a folder of its own.
func AttachmentsFolder(c config.Config) string {
	if c.BlobURL != "" {
		return ""
	}
	return filepath.Join(c.DataDir, attachmentsFolder)
}

// openAttachments opens where files are kept.
func (p *Program) openAttachments(ctx context.Context) (life, error) {
	kept, err := p.openBlobs(ctx)
	if err != nil {
		return life{}, err
	}
	var storage attachments.Storage // without one none are kept
	closing := func() error { return nil }
	if kept != nil {
		storage, closing = kept, kept.Close
	}
	p.attachments, err = attachments.New(ctx, p.store.Attachments, storage, attachments.Options{
		MaxSize: p.config.AttachmentSize, Types: p.config.AttachmentTypes, ImageMemory: p.config.ImageMemory,
		Unsent: p.config.AttachmentUnsent, Spool: filepath.Join(p.config.DataDir, spoolFolder), Buckets: p.buckets, Logger: p.log,
	})
	return life{close: closing}, err
}

// openBlobs is nil where nothing is kept: several servers have to have one place for it.
func (p *Program) openBlobs(ctx context.Context) (*blobs.Store, error) {
	if p.config.BlobURL != "" {
		kept, err := blobs.Open(ctx, p.config.BlobURL)
		if err != nil {
			return nil, fmt.Errorf("%s (--blob-url): %w", config.Variable("blob-url"), err)
		}
		return kept, nil
	}
	if p.isOneOfSeveral() {
		p.log.WarnContext(ctx, "attachments are not taken: name the place where all servers keep them in "+config.Variable("blob-url"))
		return nil, nil //nolint:nilnil // nothing is kept
	}
	return blobs.OpenFolder(AttachmentsFolder(p.config))
}
