package spread;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * Strings for the names that keep coming: most messages of a connection have one of few senders and
 * groups. Not safe for several threads.
 */
final class NameCache {

    /** A power of two. */
    private static final int SIZE = 64;

    private final long[] fields = new long[SIZE * 4];
    private final String[] names = new String[SIZE];
    private final byte[] field = new byte[Names.FIELD];

    /** The name in the field at {@code at}; leaves the buffer's position alone. */
    String get(ByteBuffer buffer, int at) {
        long a = buffer.getLong(at);
        long b = buffer.getLong(at + 8);
        long c = buffer.getLong(at + 16);
        long d = buffer.getLong(at + 24);
        long mixed = (a ^ b * 31 ^ c * 961 ^ d * 29791) * 0x9e3779b97f4a7c15L;
        int slot = (int) (mixed >>> 58);
        int first = slot * 4;
        String name = names[slot];
        if (name != null
                && fields[first] == a
                && fields[first + 1] == b
                && fields[first + 2] == c
                && fields[first + 3] == d) {
            return name;
        }
        ByteBuffer.wrap(field)
                .order(ByteOrder.BIG_ENDIAN)
                .putLong(a)
                .putLong(b)
                .putLong(c)
                .putLong(d);
        name = Names.decode(field, 0);
        fields[first] = a;
        fields[first + 1] = b;
        fields[first + 2] = c;
        fields[first + 3] = d;
        names[slot] = name;
        return name;
    }
}
