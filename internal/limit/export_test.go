package limit

import "context"

// Report tells the Central of all that was granted on credit.
func (b *Buckets) Report(ctx context.Context) {
	for b.shared.reportSome(ctx, b.now) {
	}
}
