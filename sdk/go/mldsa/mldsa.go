// Package mldsa verifies signatures of ML-DSA-44 for arborlog.org/go, by filippo.io/mldsa. It is a module of its own, so that the
// other one depends on the standard library alone:
//
//	trust := arborlog.Trust{Policy: policy, Mldsa: mldsa.Holds}
package mldsa

import "filippo.io/mldsa"

// Holds is an arborlog.MldsaCheck: ML-DSA.Verify of FIPS 204, with an empty context.
func Holds(key, signature, message []byte) bool {
	public, err := mldsa.NewPublicKey(mldsa.MLDSA44(), key)
	return err == nil && mldsa.Verify(public, message, signature, nil) == nil
}
