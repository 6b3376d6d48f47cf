package spread;

import java.util.Arrays;

/** Names one view of a group: every membership of a group has another one. */
public class GroupID {

    private final int[] id;

    /**
     * Made of the three numbers that the daemon sends.
     *
     * @param id0 the first
     * @param id1 the second
     * @param id2 the third
     */
    protected GroupID(int id0, int id1, int id2) {
        id = new int[] {id0, id1, id2};
    }

    /**
     * The three numbers.
     *
     * @return the array that this object works with
     */
    protected int[] getID() {
        return id;
    }

    /** Whether the other is a group id with the same numbers. */
    @Override
    public boolean equals(Object object) {
        return object != null
                && object.getClass() == getClass()
                && Arrays.equals(id, ((GroupID) object).id);
    }

    /** Agrees with {@link #equals(Object)}, unlike in the classic library. */
    @Override
    public int hashCode() {
        return Arrays.hashCode(id);
    }

    /** The three numbers with blanks between them. */
    @Override
    public String toString() {
        return id[0] + " " + id[1] + " " + id[2];
    }
}
