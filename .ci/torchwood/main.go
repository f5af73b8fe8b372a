// Torchwood's client against a served log: it verifies the checkpoint by a policy, reads and verifies every entry, and then
// one entry again with a proof that its own verifier takes from a receipt of ours.
//
//	torchwood URL POLICY INDEX RECEIPT
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"strconv"
	"time"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/tlog"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) != 5 {
		log.Fatal("torchwood URL POLICY INDEX RECEIPT")
	}
	if err := run(os.Args[1], os.Args[2], os.Args[3], os.Args[4]); err != nil {
		log.Fatal(err)
	}
}

func run(url, policyFile, indexText, receiptFile string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	text, err := os.ReadFile(policyFile)
	if err != nil {
		return err
	}
	policy, err := torchwood.ParsePolicy(text)
	if err != nil {
		return err
	}
	fetcher, err := torchwood.NewTileFetcher(url)
	if err != nil {
		return err
	}
	note, err := fetcher.ReadEndpoint(ctx, "checkpoint")
	if err != nil {
		return err
	}
	checkpoint, _, err := torchwood.VerifyCheckpoint(note, policy)
	if err != nil {
		return err
	}
	client, err := torchwood.NewClient(fetcher)
	if err != nil {
		return err
	}
	next := int64(0)
	for index := range client.AllEntries(ctx, checkpoint.Tree, 0) {
		if index != next {
			return fmt.Errorf("entry %d comes behind entry %d", index, next-1)
		}
		next++
	}
	if err := client.Err(); err != nil {
		return err
	}
	if next != checkpoint.N {
		return fmt.Errorf("%d entries were read of %d", next, checkpoint.N)
	}
	index, err := strconv.ParseInt(indexText, 10, 64)
	if err != nil {
		return err
	}
	entry, _, err := client.Entry(ctx, checkpoint.Tree, index)
	if err != nil {
		return err
	}
	receipt, err := os.ReadFile(receiptFile)
	if err != nil {
		return err
	}
	if err := torchwood.VerifyProof(policy, tlog.RecordHash(entry), receipt); err != nil {
		return err
	}
	// A proof of another entry must not do.
	if err := torchwood.VerifyProof(policy, tlog.RecordHash(append(entry, 0)), receipt); err == nil {
		return fmt.Errorf("the receipt proves another entry too")
	}
	fmt.Printf("Torchwood's client verified the checkpoint by the policy, read %d entries, and took the receipt of entry %d\n", next, index)
	return nil
}
