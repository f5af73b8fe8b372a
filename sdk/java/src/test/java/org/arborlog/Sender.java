package org.arborlog;

import java.nio.file.Path;
import java.util.List;

/** The process that is killed: it sends until it is. */
final class Sender {
    private Sender() {}

    public static void main(String[] arguments) throws Exception {
        boolean recovers = arguments.length > 3;
        Ledger.Platform platform = new Ledger.Platform(Path.of(arguments[0]), recovers ? arguments[3] : "app", "app", VerifierKey.ofLog(arguments[2]), List.of(arguments[1]),
            new HttpTransport(), 20);
        System.out.println("sending");
        while (true) {
            try {
                if (recovers) {
                    platform.outbox.recover();
                }
                platform.outbox.send();
            } catch (ArborlogException wrong) {
                System.out.println(wrong.getMessage());
            }
            Thread.sleep(5);
        }
    }
}
