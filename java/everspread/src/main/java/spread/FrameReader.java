package spread;

import java.nio.ByteBuffer;
import java.util.Vector;

/** Makes messages of frames, as they come from the daemon. Not safe for several threads. */
final class FrameReader {

    /** What is said of a message that makes no sense. */
    static final String ILLEGAL = "Illegal Message: Message Dropped";

    // Where the fields of a header are; each is four bytes but for the name.
    private static final int SERVICE = 0;
    private static final int NAME = 4;
    private static final int GROUPS = 36;
    private static final int TYPE = 40;
    private static final int LENGTH = 44;
    private static final int HEADER = 48;

    /** Both bits are set in words of little-endian machines, which also tells their order. */
    private static final int MARKERS = 0x80000080;

    private final SpreadConnection connection;
    private String privateName;
    private final NameCache names = new NameCache();

    FrameReader(SpreadConnection connection) {
        this.connection = connection;
    }

    /** The session is known by this name from now on. */
    void rename(String name) {
        privateName = name;
    }

    /**
     * The message at the buffer's position, which is moved behind it. The frame is whole: the native
     * side has seen to that.
     *
     * @throws SpreadException for a membership message that makes no sense; it is gone
     */
    SpreadMessage read(ByteBuffer frames) throws SpreadException {
        int at = frames.position();
        int rawService = frames.getInt(at + SERVICE);
        boolean flip = isLittle(rawService);
        int service = ordered(rawService, flip) & ~MARKERS;
        int groupCount = ordered(frames.getInt(at + GROUPS), flip);
        int length = ordered(frames.getInt(at + LENGTH), flip);
        String senderName = names.get(frames, at + NAME);
        int rawType = frames.getInt(at + TYPE);
        at += HEADER;
        if (SpreadMessage.isReject(service) && (service & SpreadMessage.REGULAR_MESS) == 0) {
            int refused = ordered(frames.getInt(at), flip) & ~MARKERS;
            service = SpreadMessage.REJECT_MESS | refused;
            at += 4;
        }
        int own = -1;
        boolean regularMembership = (service & SpreadMessage.REG_MEMB_MESS) != 0;
        Vector<SpreadGroup> groups = new Vector<>(groupCount);
        for (int i = 0; i < groupCount; i++) {
            String name = names.get(frames, at);
            at += Names.FIELD;
            groups.addElement(new SpreadGroup(connection, name));
            if (regularMembership && own < 0 && name.equals(privateName)) {
                own = i;
            }
        }
        byte[] body = new byte[length];
        frames.position(at);
        frames.get(body);

        SpreadGroup sender = new SpreadGroup(connection, senderName);
        if (SpreadMessage.isRegular(service) || SpreadMessage.isReject(service)) {
            boolean little = isLittle(rawType);
            short type = (short) (ordered(rawType, little) >> 8);
            return new SpreadMessage(
                    service, groups, sender, body, type, little, info(service, groups, sender, body, flip));
        }
        short type = regularMembership ? (short) own : -1;
        return new SpreadMessage(
                service, groups, sender, body, type, false, info(service, groups, sender, body, flip));
    }

    private MembershipInfo info(
            int service, Vector<SpreadGroup> groups, SpreadGroup group, byte[] body, boolean flip)
            throws SpreadException {
        if (!SpreadMessage.isMembership(service)) {
            return null;
        }
        try {
            return new MembershipInfo(connection, service, groups, group, body, flip);
        } catch (IllegalArgumentException e) {
            SpreadException exception = new SpreadException(ILLEGAL);
            exception.initCause(e);
            throw exception;
        }
    }

    private static boolean isLittle(int word) {
        return (word & MARKERS) == MARKERS;
    }

    private static int ordered(int word, boolean flip) {
        return flip ? Integer.reverseBytes(word) : word;
    }
}
