package spread.ext;

/** Counts of one connection since it was opened. */
public final class Statistics {

    private final long[] counts;

    Statistics(long[] counts) {
        this.counts = counts;
    }

    /**
     * Messages of all kinds that the program has taken.
     *
     * @return how many
     */
    public long messagesReceived() {
        return counts[0];
    }

    /**
     * Bytes of their bodies.
     *
     * @return how many
     */
    public long bytesReceived() {
        return counts[1];
    }

    /**
     * Messages that were sent, without joins and leaves.
     *
     * @return how many
     */
    public long messagesSent() {
        return counts[2];
    }

    /**
     * Bytes of their bodies.
     *
     * @return how many
     */
    public long bytesSent() {
        return counts[3];
    }

    /**
     * Bytes, headers included, that have been received and not taken by the program.
     *
     * @return how many
     */
    public long bytesWaiting() {
        return counts[4];
    }

    /** All of it. */
    @Override
    public String toString() {
        return "received "
                + counts[0]
                + " messages of "
                + counts[1]
                + " bytes, sent "
                + counts[2]
                + " of "
                + counts[3]
                + ", waiting "
                + counts[4]
                + " bytes";
    }
}
