-- Let the next claim look at every group of a queue that has live tasks; see prinia_turn_all.
SELECT prinia_turn_all(:queue, :now)
