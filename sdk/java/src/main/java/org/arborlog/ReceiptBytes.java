package org.arborlog;

import java.nio.charset.StandardCharsets;

/** Bytes that paths of the state begin with. */
final class ReceiptBytes {
    private ReceiptBytes() {}

    static final byte[] ACCOUNT = "arborlog account".getBytes(StandardCharsets.UTF_8);
}
