package org.arborlog;

import java.util.Base64;

/** Base64 and decimals in their one writing. */
final class Base64s {
    private Base64s() {}

    /** The bytes, of which there is one at least; null if it is no base64, or written otherwise. */
    static byte[] decode(String written) {
        try {
            byte[] decoded = Base64.getDecoder().decode(written);
            return decoded.length > 0 && Base64.getEncoder().encodeToString(decoded).equals(written) ? decoded : null;
        } catch (IllegalArgumentException wrong) {
            return null;
        }
    }

    /** An unsigned decimal below 2^64 without leading zeros, or null. */
    static Long decimal(String digits) {
        if (!digits.matches("0|[1-9][0-9]{0,19}")) {
            return null;
        }
        try {
            return Long.parseUnsignedLong(digits);
        } catch (NumberFormatException beyond) {
            return null;
        }
    }
}
