package spread;

import java.util.Vector;

/** What a membership message says: who is in the group now, and why that has changed. */
public class MembershipInfo {

    // Where the parts of the body are: three words of the group id, the number of sets, and the
    // offset of the own one; then the sets.
    private static final int NUM_SETS = 12;
    private static final int OWN_SET = 16;
    private static final int SETS = 20;

    private final int serviceType;
    private final SpreadGroup group;
    private final Vector<SpreadGroup> members;
    private GroupID id;
    private VirtualSynchronySet[] sets = new VirtualSynchronySet[0];
    private VirtualSynchronySet mine;

    /**
     * Takes the body of a membership message apart.
     *
     * @param connection that the message came over
     * @param serviceType of the message
     * @param groups the members
     * @param group that the message is about
     * @param data the body
     * @param flip whether the numbers in the body are little-endian
     */
    @SuppressWarnings({"rawtypes", "unchecked"}) // The classic signature.
    protected MembershipInfo(
            SpreadConnection connection,
            int serviceType,
            Vector groups,
            SpreadGroup group,
            byte[] data,
            boolean flip) {
        this.serviceType = serviceType;
        this.group = group;
        this.members = groups;
        if (isRegularMembership()) {
            parse(connection, data, flip);
        }
    }

    private void parse(SpreadConnection connection, byte[] data, boolean flip) {
        check(data.length >= SETS);
        id = new GroupID(number(data, 0, flip), number(data, 4, flip), number(data, 8, flip));
        int count = number(data, NUM_SETS, flip);
        int own = number(data, OWN_SET, flip);
        // Each set has at least its own count.
        check(count >= 0 && count <= (data.length - SETS) / 4);
        sets = new VirtualSynchronySet[count];
        int at = SETS;
        for (int set = 0; set < count; set++) {
            check(data.length - at >= 4);
            int size = number(data, at, flip);
            check(size >= 0 && size <= (data.length - at - 4) / Names.FIELD);
            sets[set] = new VirtualSynchronySet(size);
            if (at - SETS == own) {
                mine = sets[set];
            }
            at += 4;
            for (int member = 0; member < size; member++) {
                sets[set].addMember(new SpreadGroup(connection, Names.decode(data, at)));
                at += Names.FIELD;
            }
        }
    }

    private static void check(boolean sound) {
        if (!sound) {
            throw new IllegalArgumentException("a membership message with a broken body");
        }
    }

    private static int number(byte[] data, int at, boolean flip) {
        int number = SpreadConnection.toInt(data, at);
        return flip ? SpreadConnection.flip(number) : number;
    }

    private boolean has(int bits) {
        return (serviceType & bits) != 0;
    }

    /**
     * Whether this is a regular membership: the list of members is there.
     *
     * @return whether it is
     */
    public boolean isRegularMembership() {
        return has(SpreadMessage.REG_MEMB_MESS);
    }

    /**
     * Whether this is a transitional signal: guarantees that concern the old membership end here.
     *
     * @return whether it is
     */
    public boolean isTransition() {
        return has(SpreadMessage.TRANSITION_MESS);
    }

    /**
     * Whether somebody has joined.
     *
     * @return whether it is so
     */
    public boolean isCausedByJoin() {
        return has(SpreadMessage.CAUSED_BY_JOIN);
    }

    /**
     * Whether somebody has left; also true for the own leave, which is no regular membership.
     *
     * @return whether it is so
     */
    public boolean isCausedByLeave() {
        return has(SpreadMessage.CAUSED_BY_LEAVE);
    }

    /**
     * Whether somebody has disconnected.
     *
     * @return whether it is so
     */
    public boolean isCausedByDisconnect() {
        return has(SpreadMessage.CAUSED_BY_DISCONNECT);
    }

    /**
     * Whether daemons have come or gone.
     *
     * @return whether it is so
     */
    public boolean isCausedByNetwork() {
        return has(SpreadMessage.CAUSED_BY_NETWORK);
    }

    /**
     * Whether this confirms the own leave.
     *
     * @return whether it does
     */
    public boolean isSelfLeave() {
        return isCausedByLeave() && !isRegularMembership();
    }

    /**
     * The group that has changed.
     *
     * @return the group
     */
    public SpreadGroup getGroup() {
        return group;
    }

    /**
     * Names the membership.
     *
     * @return the id, or null if this is no regular membership
     */
    public GroupID getGroupID() {
        return id;
    }

    /**
     * Who is in the group now.
     *
     * @return a new array, or null if this is no regular membership
     */
    public SpreadGroup[] getMembers() {
        return isRegularMembership() ? members.toArray(new SpreadGroup[0]) : null;
    }

    /**
     * Who has joined.
     *
     * @return the member, or null if nobody has
     */
    public SpreadGroup getJoined() {
        return isCausedByJoin() ? theOne() : null;
    }

    /**
     * Who has left or disconnected.
     *
     * @return the member, or null if nobody has, and for the own leave
     */
    public SpreadGroup getLeft() {
        return isCausedByLeave() || isCausedByDisconnect() ? theOne() : null;
    }

    /**
     * Who has disconnected.
     *
     * @return the member, or null if nobody has
     */
    public SpreadGroup getDisconnected() {
        return isCausedByDisconnect() ? theOne() : null;
    }

    private SpreadGroup theOne() {
        return sets.length > 0 && sets[0].getSize() > 0 ? sets[0].getMembers()[0] : null;
    }

    /**
     * Who has come along through a change of the network.
     *
     * @return the members of the own set, or null if this is something else
     * @deprecated in favour of {@link #getMyVirtualSynchronySet()}
     */
    @Deprecated
    public SpreadGroup[] getStayed() {
        VirtualSynchronySet set = getMyVirtualSynchronySet();
        return set == null ? null : set.getMembers();
    }

    /**
     * The sets of members that have come through a change of the network together.
     *
     * @return the array that this object works with, or null if this is something else
     */
    public VirtualSynchronySet[] getVirtualSynchronySets() {
        return isRegularMembership() && isCausedByNetwork() ? sets : null;
    }

    /**
     * The set of those who have come through a change of the network together with this session.
     *
     * @return one of {@link #getVirtualSynchronySets()}, or null
     */
    public VirtualSynchronySet getMyVirtualSynchronySet() {
        return isRegularMembership() && isCausedByNetwork() ? mine : null;
    }

    /** Members that have received the same messages before a change of the network. */
    public class VirtualSynchronySet {

        private final SpreadGroup[] members;
        private int size;

        /**
         * An empty set.
         *
         * @param capacity how many members it takes
         */
        protected VirtualSynchronySet(int capacity) {
            members = new SpreadGroup[capacity];
        }

        /**
         * Adds a member.
         *
         * @param member to be added
         */
        public void addMember(SpreadGroup member) {
            members[size] = member;
            size++;
        }

        /**
         * How many members there are.
         *
         * @return the number
         */
        public int getSize() {
            return size;
        }

        /**
         * How many members there is room for.
         *
         * @return the number
         */
        public int getCapacity() {
            return members.length;
        }

        /**
         * The members.
         *
         * @return the array that this object works with
         */
        public SpreadGroup[] getMembers() {
            return members;
        }
    }
}
