package org.arborlog;

import static org.arborlog.ArborlogException.need;
import static org.arborlog.ArborlogException.notCanonical;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.arborlog.Wire.Form;
import org.arborlog.Wire.Items;
import org.arborlog.Wire.Maybe;
import org.arborlog.Wire.Named;
import org.arborlog.Wire.Text;
import org.arborlog.Wire.Uint;
import org.arborlog.Wire.Within;

/**
 * What somebody says: one of the kinds of docs/format.md, section 6, in the order of their numbers. A long is an unsigned 64-bit
 * number unless its field has fewer bytes there; a field that may be null is an option.
 */
public sealed interface Statement permits Statement.Genesis, Statement.Governors, Statement.KeyGrant, Statement.KeyRevoke, Statement.LogKey, Statement.Method, Statement.Award, Statement.Transfer,
    Statement.Plot, Statement.Planting, Statement.Survey, Statement.Claim, Statement.Assignment, Statement.Correction, Statement.Policy, Statement.Attestation, Statement.Seal {
    /** Begins a ledger. */
    record Genesis(@Wire.FormatVersion @Uint(4) long format, @Text(value = 200, form = Form.ORIGIN) String origin, @Text(500) String programme,
                   @Items(min = 1, max = 16) List<Bytes32> governors, @Uint(1) int quorum, Bytes32 logKey, @Maybe MldsaKey mldsaKey)
        implements Statement {}

    /** The complete new set of governors. */
    record Governors(@Items(min = 1, max = 16) List<Bytes32> governors, @Uint(1) int quorum, long set) implements Statement {}

    /** Gives a key a role. */
    record KeyGrant(Bytes32 key, Role role, @Text(value = 64, form = Form.SLUG) String holder, @Text(100) String displayName,
                    @Maybe Day expiresOn, long set) implements Statement {}

    /** Ends a key's role. */
    record KeyRevoke(Bytes32 key, @Text(300) String reason, @Maybe Day compromisedSince, long set) implements Statement {}

    /** Names the next key that signs checkpoints. */
    record LogKey(Bytes32 key, @Maybe MldsaKey mldsaKey, long set) implements Statement {}

    /** A version of a method by which points are reckoned. */
    record Method(@Uint(4) long id, @Uint(4) long version, Day effectiveFrom, @Items(max = 128) List<Activity> activities,
                  @Items(max = 400) List<Species> species, @Text(1000) String baseline, @Text(1000) String sources,
                  @Text(200) String jurisdiction, Bytes32 document, long set) implements Statement {}

    /**
     * Points for something that an account did. The quantity is in thousandths of the activity's unit, points are quantity × factor ÷ 10⁹,
     * rounded down.
     */
    record Award(Bytes32 account, @Uint(4) long method, @Uint(4) long version, @Uint(2) int activity, long quantity, long points,
                 Day occurredOn, Bytes32 evidence) implements Statement {
        /** The points of a quantity by an activity's factor, as unsigned numbers. */
        public static long points(long quantity, long factor) {
            return Hashes.points(quantity, factor);
        }

        /** An event's name: HMAC-SHA-256 under a secret that the platform keeps, so that nobody else can guess it. */
        public static Bytes32 evidenceOf(byte[] secret, byte[] event) {
            return Hashes.hmac(secret, event);
        }
    }

    /** Points leave an account: to another one with the reasons gift, collected and pooled, else to nobody. */
    record Transfer(Bytes32 from, @Maybe Bytes32 to, long points, Reason reason) implements Statement, Wire.Checked {
        @Override
        public void check() {
            boolean toNobody = reason == Reason.EXPIRED || reason == Reason.SPENT_ELSEWHERE;
            need(toNobody == (to == null), "not_canonical",
                "reason and to do not fit: gift, collected and pooled have a receiver, expired and spent_elsewhere none");
        }
    }

    /** A piece of land. */
    record Plot(@Uint(4) long number, @Text(100) String name, @Text(value = 2, form = Form.COUNTRY) String country, Place place,
                @Maybe Bytes32 finerOutline, long areaM2, @Uint(4) long treesPerHaMax, CarbonRights carbonRights, @Text(100) String fundedBy,
                @Named("for") @Items(max = 16, ascending = true) @Text(value = 64, form = Form.SLUG) List<String> platforms,
                @Maybe Long set) implements Statement {}

    /** Trees that were planted, with serials in a row. */
    record Planting(@Uint(4) long plot, @Uint(2) int species, @Uint(4) long firstSerial, @Uint(value = 4, least = 1) long count,
                    Day plantedFrom, Day plantedUntil, Bytes32 evidence, @Text(value = 300, form = Form.WEB) String evidenceAt)
        implements Statement {}

    /** Trees looked at, and how many lived. */
    record Survey(@Uint(4) long plot, @Maybe Long planting, Day surveyedOn, long asOf, Basis basis, @Text(200) String protocol,
                  @Maybe Bytes32 plan, @Uint(4) long alive, @Uint(4) long dead, @Uint(4) long notFound, @Uint(4) long deadKnown,
                  @Uint(4) long revived, Bytes32 evidence, @Text(value = 300, form = Form.WEB) String evidenceAt,
                  @Text(100) String paidBy, @Maybe Day nextDue) implements Statement {}

    /** Points become the promise of a tree. The index of its entry is the certificate's number. */
    record Claim(Bytes32 account, @Uint(4) long method, @Uint(4) long version, @Uint(2) int species, long points) implements Statement {}

    /** Claims are tied to trees, one to one in order. */
    record Assignment(@Uint(4) long plot, @Uint(4) long firstSerial, @Items(min = 1, max = 1024) List<Long> claims) implements Statement {}

    /** Something earlier is put right. */
    record Correction(long target, @Text(300) String reason, Remedy remedy, @Maybe Long set) implements Statement {}

    /** Which logs and witnesses count: all of a file that c2sp.org/tlog-policy reads. */
    record Policy(@Text(value = 24_576, form = Form.POLICY) String policy, long set) implements Statement {}

    /** What an auditor says of the ledger's first entries. */
    record Attestation(long size, Bytes32 treeRoot, Bytes32 stateRoot, Day periodFrom, Day periodUntil, Level level, Opinion opinion,
                       Bytes32 findings, Bytes32 report, @Text(300) String reportAt, @Text(1000) String words) implements Statement {}

    /** Signs the batch of statements directly before it. */
    record Seal(@Uint(value = 4, least = 1, most = 16_384) long count, Bytes32 root) implements Statement {}

    /** A key of ML-DSA-44. */
    record MldsaKey(byte[] bytes) {
        static final int BYTES = 1_312;

        public MldsaKey {
            need(bytes.length == BYTES, "not_canonical", "an ML-DSA-44 key has 1,312 bytes");
        }

        @Override
        public boolean equals(Object other) {
            return other instanceof MldsaKey that && Arrays.equals(bytes, that.bytes);
        }

        @Override
        public int hashCode() {
            return Arrays.hashCode(bytes);
        }
    }

    /** What a method gives points for. */
    record Activity(@Uint(2) int code, @Text(60) String name, @Text(20) String unit, long factor, long cap) {}

    /** What points can promise. */
    record Species(@Uint(2) int code, @Text(100) String name, long price) {}

    /** What a key may say. */
    enum Role { PLATFORM, PLANTER, SURVEYOR, AUDITOR }

    /** Why points leave an account. */
    enum Reason { GIFT, COLLECTED, POOLED, EXPIRED, SPENT_ELSEWHERE }

    /** How a survey looked at trees. */
    enum Basis { CENSUS, RANDOM_SAMPLE, REMOTE_SENSING }

    /** How sure an auditor is. */
    enum Level { LIMITED, REASONABLE }

    /** An auditor's. */
    enum Opinion { UNMODIFIED, QUALIFIED, ADVERSE, DISCLAIMED }

    /** A place on Earth, in ten-millionths of a degree, north and east positive. */
    record Point(@Within(900_000_000) int latitude, @Within(1_800_000_000) int longitude) {}

    /** Where a plot is. */
    sealed interface Place permits Place.Circle, Place.Outline {
        /** A circle that holds it. */
        record Circle(@Within(900_000_000) int latitude, @Within(1_800_000_000) int longitude, @Uint(4) long radiusM) implements Place {}

        /** Its corners in their order. */
        record Outline(@Items(min = 3, max = 500) List<Point> points) implements Place, Wire.Checked {
            @Override
            public void check() {
                for (int i = 0; i < points.size(); i++) {
                    need(!points.get(i).equals(points.get((i + points.size() - 1) % points.size())), "not_canonical",
                        "an outline has a point twice in a row, or its last one is the first");
                }
            }
        }
    }

    /** Who was given the carbon's rights. */
    sealed interface CarbonRights permits CarbonRights.NoneIssued, CarbonRights.Issued, CarbonRights.Unknown {
        /** Nobody. */
        record NoneIssued() implements CarbonRights {}

        /** A registry issued them. */
        record Issued(@Text(100) String registry, @Text(100) String id) implements CarbonRights {}

        /** It is not known. */
        record Unknown() implements CarbonRights {}
    }

    /** How something is put right. */
    sealed interface Remedy permits Remedy.Reverse, Remedy.Lost, Remedy.Void {
        /** Points of an award are taken back. */
        record Reverse(long points) implements Remedy {}

        /** Trees of a planting are lost. */
        record Lost(@Uint(value = 4, least = 1) long count, @Maybe @Uint(4) Long firstSerial, Day lostOn, @Maybe Bytes32 evidence)
            implements Remedy {}

        /** All effect of the target is undone. */
        record Void() implements Remedy {}
    }

    /** The kinds that a seal signs for, with the number of their lineage's places from the third on. */
    Map<String, Integer> SEALED_PLACES = Map.of("award", 1, "transfer", 2, "planting", 1, "survey", 1, "claim", 1, "assignment", 1, "correction", 3);

    /** The kind, as JSON names it. */
    default String kind() {
        return Codec.snake(getClass().getSimpleName());
    }

    /** Whether it may stand in a sealed batch: not where governors sign, nor other kinds than a few. */
    default boolean canSeal() {
        return SEALED_PLACES.containsKey(kind()) && !(this instanceof Correction c && c.set() != null);
    }

    /** The statement's bytes, its kind's number first. Each limit of the format is checked. */
    default byte[] encode() {
        Writer out = new Writer().uint(Arrays.asList(Codec.variants(Statement.class)).indexOf(getClass()), 4);
        try {
            Codec.write(out, this);
        } catch (ArborlogException wrong) {
            throw wrong.within(kind());
        }
        if (out.size() > LedgerRecord.BYTES_MAX - LedgerRecord.HEAD_BYTES) {
            throw notCanonical("the " + kind() + " has " + out.size() + " bytes, more than a record has room for");
        }
        return out.bytes();
    }

    /** Reads a statement from its bytes, strictly. */
    static Statement decode(byte[] bytes) {
        Reader in = new Reader(bytes);
        Statement statement = Codec.readStatement(in);
        in.end();
        return statement;
    }

    /** Reads a statement from its JSON (docs/statements.md). */
    static Statement fromJson(String json) {
        return StatementJson.read(json);
    }

    /** The statement's JSON. */
    default String toJson() {
        return StatementJson.write(this);
    }
}
