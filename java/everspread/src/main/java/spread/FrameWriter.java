package spread;

import java.nio.ByteBuffer;

/**
 * A direct buffer with messages to be sent: the groups and the body of one, for which the native side
 * makes the header, and whole frames behind it. Not safe for several threads.
 */
final class FrameWriter {

    private static final int HEADER = 48;

    /** Bits of requests and rejects: a message with one of them is refused. */
    private static final int NEVER_SENT = 0x4f0000;

    private static final int MARKERS = 0x80000080;

    private final ByteBuffer buffer;
    private final long address;

    /**
     * Whose fields lie at the start of the buffer, null from the first on that does not. Most messages go to
     * the groups of the one before, as the very same strings.
     */
    private final String[] placed = new String[Session.MOST_GROUPS];

    private int service;
    private int groups;
    private short type;
    private int length;
    private int first;
    private int count;

    FrameWriter(int capacity) {
        buffer = ByteBuffer.allocateDirect(capacity);
        address = Native.address(buffer);
    }

    int capacity() {
        return buffer.capacity();
    }

    void clear() {
        buffer.clear();
        count = 0;
    }

    int service() {
        return service;
    }

    int count() {
        return count;
    }

    /** The first message, for which there is room. */
    void begin(int service, SpreadGroup[] groups, short type, byte[] body) throws SpreadException {
        this.service = service;
        this.groups = groups.length;
        this.type = type;
        this.length = body.length;
        for (int i = 0; i < groups.length; i++) {
            String name = groups[i].toString();
            if (name.length() > Names.LONGEST) {
                throw Session.tooLong(name);
            }
            if (name == placed[i]) { // NOPMD: another one with the same characters is written anew.
                buffer.position(buffer.position() + Names.FIELD);
            } else {
                // What comes behind is not in its place any more.
                forget(i);
                putName(name);
                placed[i] = name;
            }
        }
        forget(groups.length);
        buffer.put(body);
        first = buffer.position();
        count = 1;
    }

    /** The fields from {@code first} on are about to be overwritten. */
    private void forget(int first) {
        for (int i = first; i < placed.length && placed[i] != null; i++) {
            placed[i] = null;
        }
    }

    /** Adds a message. False, with nothing added: it does not fit, or is not one that surely is sent. */
    boolean add(SpreadMessage message, String sender) throws SpreadException {
        if (message == null) {
            return false;
        }
        int kind = message.getServiceType() & ~MARKERS;
        byte[] body = message.getData();
        SpreadGroup[] to = message.getGroups();
        if (Integer.bitCount(kind & SpreadMessage.REGULAR_MESS) != 1
                || (kind & NEVER_SENT) != 0
                || to.length > Session.DELIVERED_GROUPS
                || HEADER + Names.FIELD * to.length + body.length > buffer.remaining()) {
            return false;
        }
        for (SpreadGroup group : to) {
            if (group == null
                    || group.toString() == null
                    || group.toString().length() > Names.LONGEST) {
                return false;
            }
        }
        if (count == 0) {
            begin(message.getServiceType(), to, message.getType(), body);
            return true;
        }
        buffer.putInt(kind);
        putName(sender);
        buffer.putInt(to.length).putInt((message.getType() & 0xffff) << 8).putInt(body.length);
        for (SpreadGroup group : to) {
            putName(group.toString());
        }
        buffer.put(body);
        count++;
        return true;
    }

    private void putName(String name) {
        int length = name.length();
        for (int i = 0; i < length; i++) {
            char character = name.charAt(i);
            buffer.put((byte) (character > 0xff ? '?' : character));
        }
        for (int i = length; i < Names.FIELD; i++) {
            buffer.put((byte) 0);
        }
    }

    /** Hands all of it to the session, with others to follow or not; the status. */
    int send(long handle, boolean more) {
        int behind = buffer.position() - first;
        return Native.multicast(
                handle, buffer, address, service, groups, type, length, behind, more);
    }
}
